"""Digests of files of any size, in bounded memory."""

import hashlib
from collections.abc import Callable
from pathlib import Path

_BLOCK_BYTES = 4 * 2**20


def sha256_file(path: Path, on_bytes: Callable[[int], None] = lambda _: None) -> str:
    """Hex SHA-256; `on_bytes` hears how many more bytes were read. Raises OSError."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_BLOCK_BYTES))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            on_bytes(count)
    return digest.hexdigest()
