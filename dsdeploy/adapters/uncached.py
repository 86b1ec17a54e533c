"""Reads a file from its disk, past the page cache."""

import mmap
import os
from pathlib import Path

_BLOCK_BYTES = 8 * 2**20


def read_uncached(path: Path, most_bytes: int) -> int:
    """How many bytes were read from its beginning. Raises OSError, also where the file system has no direct reads."""
    file = os.open(path, os.O_RDONLY | os.O_DIRECT)
    done = 0
    try:
        with mmap.mmap(-1, _BLOCK_BYTES) as block:  # a direct read asks for aligned memory: open(2)
            while done < most_bytes and (read := os.readv(file, [block])):
                done += read
    finally:
        os.close(file)
    return done
