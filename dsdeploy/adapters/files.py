"""Writing: a text whole or not at all, bytes to their place in a file."""

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, content: str, mode: int = 0o600) -> None:
    """Writes beside `path`, flushes to disk, then renames. Raises OSError and leaves nothing behind."""
    write_whole_bytes(path, content.encode(), mode)


def write_whole_bytes(path: Path, content: bytes, mode: int = 0o600) -> None:
    beside: str | None = None
    try:
        with tempfile.NamedTemporaryFile("wb", dir=path.parent, delete=False) as file:
            beside = file.name
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        if beside is not None:
            Path(beside).unlink(missing_ok=True)
        raise


def write_at(target: int, content: bytes | memoryview, at_bytes: int) -> None:
    """All of `content`. Raises OSError."""
    left = memoryview(content)
    while left:
        written = os.pwrite(target, left, at_bytes)
        left, at_bytes = left[written:], at_bytes + written
