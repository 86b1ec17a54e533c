"""The bytes of a volume that are not payload: all can be told from the signed root, so none can be altered unseen.

POSIX.1-1988 ustar: a 512-byte header, the data padded to 512 bytes, two zero blocks at the end.
"""

import tarfile

from dsdeploy.core.bundle.names import extent_name
from dsdeploy.core.bundle.values import Extent

BLOCK_BYTES = 512
END = bytes(2 * BLOCK_BYTES)
# The size field has 11 octal digits.
MOST_EXTENT_BYTES = 8 * 2**30 - BLOCK_BYTES


def header(blob: str, offset_bytes: int, size_bytes: int) -> bytes:
    member = tarfile.TarInfo(extent_name(blob, offset_bytes, size_bytes))
    member.size = size_bytes
    member.mode = 0o644
    return member.tobuf(tarfile.USTAR_FORMAT)


def padding_bytes(size_bytes: int) -> int:
    return -size_bytes % BLOCK_BYTES


def member_bytes(size_bytes: int) -> int:
    """Header, data and padding."""
    return BLOCK_BYTES + size_bytes + padding_bytes(size_bytes)


def volume_bytes(extents: tuple[Extent, ...]) -> int:
    return sum(member_bytes(extent.size_bytes) for extent in extents) + len(END)
