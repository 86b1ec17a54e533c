"""What a root must keep to before one byte is written by its word, whoever signed it."""

import re
import unicodedata
from collections import defaultdict

from dsdeploy.core.bundle.names import BUNDLE_NAME, TOPS, volume_name
from dsdeploy.core.bundle.ustar import MOST_EXTENT_BYTES, volume_bytes
from dsdeploy.core.bundle.values import Bundle, Extent
from dsdeploy.core.layout import WEIGHTS_FILE
from dsdeploy.core.texts import Malformed, text

_HEX = re.compile(r"[0-9a-f]{64}")
_MOST_NAME_BYTES = 255  # NAME_MAX of Linux
_MOST_PATH_BYTES = 1024


def judge(bundle: Bundle) -> None:
    """Raises Malformed, which names the place."""
    if not BUNDLE_NAME.fullmatch(bundle.name):
        raise Malformed(text("reason-bundle-name", name=repr(bundle.name)), "name")
    _judge_blobs(bundle)
    judge_paths(tuple(file.path for file in bundle.files))
    _judge_references(bundle)
    _judge_volumes(bundle)


def judge_paths(paths: tuple[str, ...]) -> None:
    """Relative, plain and apart on every file system, also on one that folds case. Raises Malformed."""
    kinds: dict[str, tuple[str, bool]] = {}
    for path in paths:
        judge_path(path)
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            one, is_file = "/".join(parts[:depth]), depth == len(parts)
            folded = unicodedata.normalize("NFC", one).casefold()
            if kinds.get(folded, (one, False)) != (one, False) or (is_file and folded in kinds):
                raise Malformed(text("reason-clash", path=repr(path), other=repr(kinds[folded][0])))
            kinds[folded] = (one, is_file)


def judge_path(path: str) -> None:
    """Raises Malformed unless `path` stays inside the folder it is put in."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or part != part.strip() for part in parts):
        raise Malformed(text("reason-not-plain", path=repr(path)))
    if "\\" in path or ":" in path or not path.isprintable():
        raise Malformed(text("reason-bad-character", path=repr(path)))
    if len(path.encode()) > _MOST_PATH_BYTES or any(len(part.encode()) > _MOST_NAME_BYTES for part in parts):
        raise Malformed(text("reason-too-long", path=repr(path[:80])))
    if parts[0] not in TOPS:
        raise Malformed(text("reason-foreign-top", path=repr(path), tops=", ".join(TOPS)))


def _judge_blobs(bundle: Bundle) -> None:
    digests = [blob.sha256 for blob in bundle.blobs]
    for digest in digests:
        if not _HEX.fullmatch(digest):
            raise Malformed(text("reason-not-sha256", digest=repr(digest)), "blobs")
    if len(set(digests)) != len(digests):
        raise Malformed(text("reason-digest-twice"), "blobs")
    if {file.sha256 for file in bundle.files} != set(digests):
        raise Malformed(text("reason-digests-differ"), "blobs")


def _judge_references(bundle: Bundle) -> None:
    paths = {file.path for file in bundle.files}
    for model in bundle.models:
        folder = f"weights/{model.model_id}/{model.format}"
        judge_path(folder)
        if not model.files or any(not path.startswith(folder + "/") or path not in paths for path in model.files):
            raise Malformed(text("reason-model-outside", model=model.model_id, folder=folder), "models")
    if any(path.startswith("weights/") and path.endswith("/" + WEIGHTS_FILE) for path in paths):
        raise Malformed(text("reason-never-carried", name=WEIGHTS_FILE), "files")
    for image in bundle.images:
        if image.path not in paths or not _HEX.fullmatch(image.image_id):
            raise Malformed(text("reason-image-unlisted", path=image.path), "images")


def _judge_volumes(bundle: Bundle) -> None:
    sizes = {blob.sha256: blob.size_bytes for blob in bundle.blobs}
    pieces: dict[str, list[Extent]] = defaultdict(list)
    for number, volume in enumerate(bundle.volumes, 1):
        if volume.name != volume_name(bundle.name, number, len(bundle.volumes)):
            raise Malformed(text("reason-volume-name", name=repr(volume.name), number=number), "volumes")
        if volume.size_bytes != volume_bytes(volume.extents):
            raise Malformed(text("reason-volume-size", name=volume.name), "volumes")
        for extent in volume.extents:
            if extent.blob not in sizes or not _HEX.fullmatch(extent.sha256) or extent.size_bytes > MOST_EXTENT_BYTES:
                raise Malformed(text("reason-extent", name=volume.name), "volumes")
            pieces[extent.blob].append(extent)
    for blob, extents in pieces.items():
        end = 0
        for extent in sorted(extents, key=lambda one: one.offset_bytes):
            if extent.offset_bytes != end or (not extent.size_bytes and sizes[blob]):
                raise Malformed(text("reason-extents-gap", blob=blob), "volumes")
            end += extent.size_bytes
        if end != sizes[blob] or (len(extents) == 1 and extents[0].sha256 != blob):
            raise Malformed(text("reason-extents-part", blob=blob), "volumes")
    if bundle.base is None and len(pieces) != len(sizes):
        raise Malformed(text("reason-not-carried"), "volumes")
