"""What goes into a bundle: each content once, with the paths it will have, known digests taken from the weights."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from dsdeploy.adapters.bundle.image_archive import read_archive
from dsdeploy.adapters.bundle.staged import Staged, taken
from dsdeploy.core.bundle import names
from dsdeploy.core.bundle.deployed_images import lacking
from dsdeploy.core.bundle.safety import judge_paths
from dsdeploy.core.bundle.values import BundleImage, BundleModel
from dsdeploy.core.documents import from_document
from dsdeploy.core.errors import ImageNotNamed, PayloadMissing
from dsdeploy.core.layout import WEIGHTS_FILE
from dsdeploy.core.texts import Text, text
from dsdeploy.core.values import Weights

# Files up to here are hashed beforehand, so that equal ones are carried once; larger ones are read once only.
_SMALL_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Content:
    """`sha256` is what the bytes must have; None when the one read will tell. `stamp` tells a changed file."""

    source: Path
    paths: tuple[str, ...]
    size_bytes: int
    sha256: str | None
    stamp: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Gathered:
    contents: tuple[Content, ...]
    models: tuple[BundleModel, ...]
    images: tuple[BundleImage, ...]


def gather(
    plan: Path,
    weights: tuple[Path, ...],
    files: tuple[Path, ...],
    images: tuple[Path, ...],
    wheels: Path | None,
    chart: Path | None = None,
) -> Gathered:
    """Everything that was named, small things first. Raises PayloadMissing."""
    found = [_content(plan, names.PLAN, None)]
    if wheels is not None:
        programs = sorted(wheels.glob("*.whl"))
        if not any(one.name.startswith("dsdeploy-") for one in programs):
            raise _missing(wheels, text("reason-lacks", what="dsdeploy-*.whl"))
        found += [_content(one, f"{names.WHEELS}/{one.name}", None) for one in programs]
    for one in files:
        found += _tree(one, names.EXTRA)
    if chart is not None:
        found += _tree(chart, names.CHART)
    found += map(_image, images)
    models = []
    for folder in weights:
        known = _load_weights(folder)
        place = f"{names.WEIGHTS}/{known.model_id}/{known.format}"
        carried = [_content(folder / file.name, f"{place}/{file.name}", file.sha256) for file in known.files]
        for content, file in zip(carried, known.files, strict=True):
            if content.size_bytes != file.size_bytes:
                sizes = {"found": f"{content.size_bytes:,}", "wanted": f"{file.size_bytes:,}"}
                raise _missing(content.source, text("altered-size", **sizes))
        found += carried
        paths = tuple(content.paths[0] for content in carried)
        models.append(BundleModel(known.model_id, known.format, known.source, known.revision, paths))
    try:
        judge_paths(tuple(path for content in found for path in content.paths))
    except ValueError as error:
        raise PayloadMissing(text("bundle-bad-path", reason=error), hint=text("bundle-bad-path-hint")) from error
    return Gathered(_once(found), tuple(models), describe_images(images))


def _once(found: list[Content]) -> tuple[Content, ...]:
    """Contents of one known digest become one with all their paths."""
    merged: dict[object, Content] = {}
    for content in found:
        key = content.sha256 or content.source
        first = merged.get(key)
        paths = content.paths if first is None else (*first.paths, *content.paths)
        base = first or content
        merged[key] = Content(base.source, paths, base.size_bytes, base.sha256, base.stamp)
    return tuple(merged.values())


def _content(source: Path, path: str, sha256: str | None) -> Content:
    try:
        stat = source.stat()
        if not source.is_file():
            raise _missing(source, text("reason-not-a-file"))
        if sha256 is None and stat.st_size <= _SMALL_BYTES:
            sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    except OSError as error:
        raise _missing(source, error) from error
    return Content(source, (path,), stat.st_size, sha256, (stat.st_ino, stat.st_size, stat.st_mtime_ns))


def _image(archive: Path) -> Content:
    path = f"{names.IMAGES}/{archive.name}"
    gone = _taken(archive)
    if gone is None:
        return _content(archive, path, None)
    return Content(archive, (path,), gone.size_bytes, gone.sha256, gone.stamp)


def _taken(archive: Path) -> Staged | None:
    try:
        return taken(archive)
    except (OSError, ValueError) as error:
        raise _missing(archive, error) from error


def describe_images(images: tuple[Path, ...]) -> tuple[BundleImage, ...]:
    """What the archives say of themselves. Raises PayloadMissing."""
    return tuple(map(_describe, images))


def judge_images(named: tuple[str, ...], gathered: Gathered) -> None:
    """Raises ImageNotNamed for an image that the deployment names and the bundle would not hold."""
    if lost := lacking(named, gathered.images):
        raise ImageNotNamed(
            text("bundle-image-lacking", images=", ".join(lost)), hint=text("bundle-image-lacking-hint")
        )


def _tree(top: Path, place: str) -> list[Content]:
    if not top.is_dir():
        return [_content(top, f"{place}/{top.name}", None)]
    inside = sorted(path for path in top.rglob("*") if not path.is_dir())
    return [_content(path, f"{place}/{top.name}/{path.relative_to(top).as_posix()}", None) for path in inside]


def _load_weights(folder: Path) -> Weights:
    path = folder / WEIGHTS_FILE
    try:
        return from_document(Weights, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise _missing(path, error) from error


def _describe(image: Path) -> BundleImage:
    if gone := _taken(image):
        return BundleImage(f"{names.IMAGES}/{image.name}", gone.names, gone.image_id)
    try:
        archive = read_archive(image)
    except (OSError, ValueError) as error:
        raise PayloadMissing(
            text("bundle-bad-image", path=image, reason=error), hint=text("bundle-bad-image-hint")
        ) from error
    return BundleImage(f"{names.IMAGES}/{image.name}", (*archive.references, *archive.digests), archive.image_id)


def _missing(path: Path, reason: Text | Exception) -> PayloadMissing:
    return PayloadMissing(text("unreadable", path=path, reason=reason), hint=text("bundle-payload-hint"))
