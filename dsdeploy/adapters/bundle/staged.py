"""Archives that were saved in order to be carried: each goes once its bytes lie in a volume, a record of it stays.

So images take no room twice. A build that was cut off goes on by the record; one that begins anew needs the archives
again: `forget` says so.
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dsdeploy.adapters.bundle.image_archive import read_archive
from dsdeploy.adapters.files import write_whole
from dsdeploy.core.documents import from_document, to_document

_RECORD = ".carried"


@dataclass(frozen=True, slots=True)
class Staged:
    """An archive of one image, here or gone. `sha256` and `stamp` are what was known before its bytes were read;
    `names` are the image's references and digests."""

    size_bytes: int
    stamp: tuple[int, int, int]
    sha256: str | None
    names: tuple[str, ...]
    image_id: str


def take(archive: Path, size_bytes: int, stamp: tuple[int, int, int], sha256: str | None) -> None:
    """Leaves a record in the archive's place. Once more, it does nothing. Raises OSError, ValueError."""
    if archive.exists():
        told = read_archive(archive)
        record = Staged(size_bytes, stamp, sha256, (*told.references, *told.digests), told.image_id)
        write_whole(_record(archive), json.dumps(to_document(record)))
        archive.unlink()


def taken(archive: Path) -> Staged | None:
    """The record of an archive that is gone; None where it is here, or was never. Raises OSError, ValueError."""
    if archive.exists() or not _record(archive).exists():
        return None
    return from_document(Staged, json.loads(_record(archive).read_text(encoding="utf-8")))


def is_saved(archive: Path) -> bool:
    return archive.exists() or _record(archive).exists()


def carried(folder: Path) -> dict[str, Path]:
    """Archives that are gone, by each name of their images; whoever needs one whose record is torn hears of it."""
    found: dict[str, Path] = {}
    for record in sorted(folder.glob("*" + _RECORD)):
        archive = record.with_name(record.name.removesuffix(_RECORD))
        with suppress(OSError, ValueError):
            if told := taken(archive):
                found |= dict.fromkeys(told.names, archive)
    return found


def forget(folder: Path) -> bool:
    """Whether anything was taken, which is now to be saved again. Raises OSError."""
    records = list(folder.glob("*" + _RECORD))
    for one in records:
        one.unlink()
    return bool(records)


def _record(archive: Path) -> Path:
    return archive.with_name(archive.name + _RECORD)
