"""Cuts contents into volumes: sizes alone decide, so the count is known before the first byte is read."""

from dataclasses import dataclass

from dsdeploy.core.bundle.ustar import BLOCK_BYTES, END, MOST_EXTENT_BYTES, member_bytes

_BESIDE = 16 * 2**20  # room for the file system, the root, its signature and the sums
CAPACITIES_BYTES = {
    "fat32": 4 * 2**30 - 1,  # the largest file of FAT32
    "dvd": 4_700_372_992 - _BESIDE,  # DVD+R, the smaller of the two kinds: 2,295,104 sectors of 2,048 bytes
    "bd25": 25_025_314_816 - _BESIDE,  # BD-R, one layer: 12,219,392 sectors of 2,048 bytes
}
LEAST_CAPACITY_BYTES = 8 * BLOCK_BYTES
PIECE_BYTES = 256 * 2**20  # a large extent is made durable in pieces while it is built


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for an extent: `content` is the index of what it carries, `at_bytes` where its header starts."""

    volume: int
    content: int
    offset_bytes: int
    size_bytes: int
    at_bytes: int


def cut(sizes_bytes: tuple[int, ...], capacity_bytes: int | None) -> tuple[Slot, ...]:
    """One slot or more for each content, in order. `capacity_bytes` None means one volume without limit."""
    slots: list[Slot] = []
    volume, at = 0, 0
    for content, size in enumerate(sizes_bytes):
        offset = 0
        while offset < size or not offset:
            room = MOST_EXTENT_BYTES
            if capacity_bytes is not None:
                left = (capacity_bytes - at - len(END) - BLOCK_BYTES) // BLOCK_BYTES * BLOCK_BYTES
                if left < 0 or (not left and size):
                    volume, at = volume + 1, 0
                    continue
                room = min(room, left)
            take = min(size - offset, room)
            slots.append(Slot(volume, content, offset, take, at))
            at += member_bytes(take)
            offset += take
            if not size:
                break
    return tuple(slots)
