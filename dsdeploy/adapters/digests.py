"""Digests of files of any size: one buffer, read once, several files side by side."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

BLOCK_BYTES = 4 << 20


def sha256_file(path: Path, on_bytes: Callable[[int], None] = lambda count: None) -> str:
    """Hex digest. `on_bytes` hears of each block read. Raises OSError."""
    digest = hashlib.sha256()
    buffer = bytearray(BLOCK_BYTES)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(view[:count])
            on_bytes(count)
    return digest.hexdigest()


def git_sha1_file(path: Path) -> str:
    """The id of the Git blob with a small file's bytes: how hubs name what they keep in Git. Raises OSError."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def workers() -> int:
    return len(os.sched_getaffinity(0))
