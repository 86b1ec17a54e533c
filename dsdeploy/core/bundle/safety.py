"""What a root must keep to before one byte is written by its word, whoever signed it."""

import re
import unicodedata
from collections import defaultdict

from dsdeploy.core.bundle.names import BUNDLE_NAME, TOPS, volume_name
from dsdeploy.core.bundle.ustar import MOST_EXTENT_BYTES, volume_bytes
from dsdeploy.core.bundle.values import Bundle, Extent
from dsdeploy.core.layout import WEIGHTS_FILE

_HEX = re.compile(r"[0-9a-f]{64}")
_MOST_NAME_BYTES = 255  # NAME_MAX of Linux
_MOST_PATH_BYTES = 1024


def judge(bundle: Bundle) -> None:
    """Raises ValueError, which names the place."""
    if not BUNDLE_NAME.fullmatch(bundle.name):
        raise ValueError(f"name: {bundle.name!r} is not a bundle's name")
    _judge_blobs(bundle)
    judge_paths(tuple(file.path for file in bundle.files))
    _judge_references(bundle)
    _judge_volumes(bundle)


def judge_paths(paths: tuple[str, ...]) -> None:
    """Relative, plain and apart on every file system, also on one that folds case. Raises ValueError."""
    kinds: dict[str, tuple[str, bool]] = {}
    for path in paths:
        judge_path(path)
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            one, is_file = "/".join(parts[:depth]), depth == len(parts)
            folded = unicodedata.normalize("NFC", one).casefold()
            if kinds.get(folded, (one, False)) != (one, False) or (is_file and folded in kinds):
                raise ValueError(f"{path!r} clashes with {kinds[folded][0]!r}")
            kinds[folded] = (one, is_file)


def judge_path(path: str) -> None:
    """Raises ValueError unless `path` stays inside the folder it is put in."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or part != part.strip() for part in parts):
        raise ValueError(f"{path!r} is not a plain relative path")
    if "\\" in path or ":" in path or not path.isprintable():
        raise ValueError(f"{path!r} holds a character that paths here must not hold")
    if len(path.encode()) > _MOST_PATH_BYTES or any(len(part.encode()) > _MOST_NAME_BYTES for part in parts):
        raise ValueError(f"{path[:80]!r}… is too long")
    if parts[0] not in TOPS:
        raise ValueError(f"{path!r} does not start with one of {', '.join(TOPS)}")


def _judge_blobs(bundle: Bundle) -> None:
    digests = [blob.sha256 for blob in bundle.blobs]
    for digest in digests:
        if not _HEX.fullmatch(digest):
            raise ValueError(f"blobs: {digest!r} is not a SHA-256")
    if len(set(digests)) != len(digests):
        raise ValueError("blobs: one digest stands twice")
    if {file.sha256 for file in bundle.files} != set(digests):
        raise ValueError("blobs: files and blobs do not name the same digests")


def _judge_references(bundle: Bundle) -> None:
    paths = {file.path for file in bundle.files}
    for model in bundle.models:
        folder = f"weights/{model.model_id}/{model.format}"
        judge_path(folder)
        if not model.files or any(not path.startswith(folder + "/") or path not in paths for path in model.files):
            raise ValueError(f"models: {model.model_id} names a file outside {folder}")
    if any(path.startswith("weights/") and path.endswith("/" + WEIGHTS_FILE) for path in paths):
        raise ValueError(f"files: {WEIGHTS_FILE} is written at the site and never carried")
    for image in bundle.images:
        if image.path not in paths or not _HEX.fullmatch(image.image_id):
            raise ValueError(f"images: {image.path} is not among the files, or its id is no digest")


def _judge_volumes(bundle: Bundle) -> None:
    sizes = {blob.sha256: blob.size_bytes for blob in bundle.blobs}
    pieces: dict[str, list[Extent]] = defaultdict(list)
    for number, volume in enumerate(bundle.volumes, 1):
        if volume.name != volume_name(bundle.name, number, len(bundle.volumes)):
            raise ValueError(f"volumes: {volume.name!r} is not the name of volume {number}")
        if volume.size_bytes != volume_bytes(volume.extents):
            raise ValueError(f"volumes: {volume.name} does not have the size of its extents")
        for extent in volume.extents:
            if extent.blob not in sizes or not _HEX.fullmatch(extent.sha256) or extent.size_bytes > MOST_EXTENT_BYTES:
                raise ValueError(f"volumes: {volume.name} holds an extent that cannot be")
            pieces[extent.blob].append(extent)
    for blob, extents in pieces.items():
        end = 0
        for extent in sorted(extents, key=lambda one: one.offset_bytes):
            if extent.offset_bytes != end or (not extent.size_bytes and sizes[blob]):
                raise ValueError(f"volumes: the extents of {blob} overlap or leave a gap")
            end += extent.size_bytes
        if end != sizes[blob] or (len(extents) == 1 and extents[0].sha256 != blob):
            raise ValueError(f"volumes: the extents of {blob} are not the whole of it")
    if bundle.base is None and len(pieces) != len(sizes):
        raise ValueError("volumes: a blob is carried nowhere and there is no base")
