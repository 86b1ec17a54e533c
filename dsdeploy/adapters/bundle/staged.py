"""Archives that were saved in order to be carried: what the bundle holds of one goes at once, a record of it stays.

So images take no room twice. A build that was cut off goes on by the record; one that begins anew needs the archives
again: `forget` says so.
"""

import ctypes
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dsdeploy.adapters.bundle.image_archive import read_archive
from dsdeploy.adapters.files import write_whole
from dsdeploy.core.documents import from_document, to_document

_RECORD = ".carried"


# linux/falloc.h: FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE.
_PUNCH_HOLE = 0x01 | 0x02


@dataclass(frozen=True, slots=True)
class Staged:
    """An archive of one image, whole, in part, or gone. `sha256` and `stamp` are what was known before its bytes were
    read; `names` are the image's references and digests."""

    size_bytes: int
    stamp: tuple[int, int, int]
    sha256: str | None
    names: tuple[str, ...]
    image_id: str


def begin(archive: Path, size_bytes: int, stamp: tuple[int, int, int], sha256: str | None) -> None:
    """Writes the record, before the first byte goes; once more, it does nothing. Raises OSError, ValueError."""
    if not _record(archive).exists():
        told = read_archive(archive)
        record = Staged(size_bytes, stamp, sha256, (*told.references, *told.digests), told.image_id)
        write_whole(_record(archive), json.dumps(to_document(record)))


def give_back(archive: Path, up_to_bytes: int) -> None:
    """The disk's blocks below `up_to_bytes`; where the file system cannot, they go with the whole. Raises OSError."""
    fallocate = getattr(ctypes.CDLL(None), "fallocate", None)
    file = os.open(archive, os.O_WRONLY | os.O_NOFOLLOW)
    try:
        if fallocate is not None:
            fallocate(file, _PUNCH_HOLE, ctypes.c_int64(0), ctypes.c_int64(up_to_bytes))
    finally:
        os.close(file)


def taken(archive: Path) -> Staged | None:
    """The record of an archive of which something went; None before. Raises OSError, ValueError."""
    if not _record(archive).exists():
        return None
    return from_document(Staged, json.loads(_record(archive).read_text(encoding="utf-8")))


def is_saved(archive: Path) -> bool:
    return archive.exists() or _record(archive).exists()


def carried(folder: Path) -> dict[str, Path]:
    """Archives of which something went, by each name of their images. A torn record is left to whoever needs it."""
    found: dict[str, Path] = {}
    for record in sorted(folder.glob("*" + _RECORD)):
        archive = record.with_name(record.name.removesuffix(_RECORD))
        with suppress(OSError, ValueError):
            if told := taken(archive):
                found |= dict.fromkeys(told.names, archive)
    return found


def forget(folder: Path) -> bool:
    """Whether something went of an archive, which is now to be saved again. Raises OSError."""
    records = list(folder.glob("*" + _RECORD))
    for one in records:
        one.with_name(one.name.removesuffix(_RECORD)).unlink(missing_ok=True)
        one.unlink()
    return bool(records)


def _record(archive: Path) -> Path:
    return archive.with_name(archive.name + _RECORD)
