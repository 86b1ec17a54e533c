"""What lies on the media: read only, no link is followed, and nothing may lie there that the root does not name."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from dsdeploy.core.bundle.names import DROPPINGS, ROOT, SIGNATURE, SIGNED_TEXTS, model_signature_name
from dsdeploy.core.bundle.values import Bundle
from dsdeploy.core.errors import BundleMissing, BundleUnsafe
from dsdeploy.core.texts import text

_MOST_TEXT_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Head:
    """The root and its signature as bytes, before anything in them is believed; `signature` None when there is none."""

    root: bytes
    signature: bytes | None


def read_head(folders: tuple[Path, ...]) -> Head:
    """The one root in these folders. Raises BundleMissing, BundleUnsafe."""
    heads = {}
    for folder in folders:
        if not folder.is_dir():
            raise BundleMissing(text("bundle-no-folder", path=folder), hint=text("bundle-missing-hint"))
        if os.path.lexists(folder / ROOT):
            signature = read_text(folder / SIGNATURE) if os.path.lexists(folder / SIGNATURE) else None
            heads[Head(read_text(folder / ROOT), signature)] = folder
    if not heads:
        where = ", ".join(str(folder) for folder in folders)
        raise BundleMissing(text("bundle-missing", root=ROOT, path=where), hint=text("bundle-missing-hint"))
    if len(heads) > 1:
        where = ", ".join(str(folder) for folder in heads.values())
        raise BundleUnsafe(text("bundle-mixed", path=where), hint=text("bundle-mixed-hint"))
    return next(iter(heads))


def read_root_of(path: Path) -> bytes:
    """The root in a folder, or that file itself. Raises BundleMissing, BundleUnsafe."""
    place = path / ROOT if path.is_dir() else path
    if not os.path.lexists(place):
        raise BundleMissing(text("bundle-missing", root=ROOT, path=path), hint=text("bundle-missing-hint"))
    return read_text(place)


def read_text(path: Path) -> bytes:
    """A small file. Raises BundleUnsafe for a link, a device or one too large."""
    file = open_regular(path)
    try:
        if os.fstat(file).st_size > _MOST_TEXT_BYTES:
            raise BundleUnsafe(text("bundle-not-a-file", path=path), hint=text("bundle-unsafe-hint"))
        with os.fdopen(os.dup(file), "rb") as opened:
            return opened.read(_MOST_TEXT_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(file)


def open_regular(path: Path) -> int:
    """A descriptor for reading. Raises BundleUnsafe unless it is a plain file."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise BundleUnsafe(text("bundle-not-a-file", path=path), hint=text("bundle-unsafe-hint"))
    return file


def find_volumes(folders: tuple[Path, ...], bundle: Bundle) -> dict[str, Path]:
    """Volume name → where it lies. Raises BundleUnsafe for anything that does not belong here or lies here twice."""
    names = {volume.name for volume in bundle.volumes}
    signed = {*SIGNED_TEXTS, *(model_signature_name(one.model_id, one.format) for one in bundle.models)}
    found: dict[str, Path] = {}
    for folder in folders:
        try:
            inside = sorted(folder.iterdir())
        except OSError as error:
            raise _unreadable(folder, error) from error
        for path in inside:
            if path.name in names and path.name in found:
                message = text("bundle-twice", name=path.name, first=found[path.name].parent, second=folder)
                raise BundleUnsafe(message, hint=text("bundle-twice-hint"))
            if path.name in names:
                found[path.name] = path
            elif path.name not in (*signed, SIGNATURE, *DROPPINGS):
                raise BundleUnsafe(text("bundle-extra-file", path=path), hint=text("bundle-extra-file-hint"))
    return found


def _unreadable(path: Path, error: OSError) -> BundleUnsafe:
    return BundleUnsafe(text("unreadable", path=path, reason=error), hint=text("bundle-unsafe-hint"))
