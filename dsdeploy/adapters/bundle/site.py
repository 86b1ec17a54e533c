"""The bundles of a site: which versions are loaded, which is in use, and where a content lies."""

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from dsdeploy.core.bundle import names
from dsdeploy.core.bundle.values import Bundle, decode
from dsdeploy.core.documents import from_document
from dsdeploy.core.errors import BundleUnsafe
from dsdeploy.core.layout import WEIGHTS_FILE, Layout
from dsdeploy.core.texts import text
from dsdeploy.core.values import WeightFile, Weights


@dataclass(frozen=True, slots=True)
class Version:
    bundle: Bundle
    folder: Path
    root_sha256: str


class Site:
    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.folder = layout.home / names.BUNDLES

    def version_folder(self, bundle: Bundle, root_sha256: str) -> Path:
        return self.folder / bundle.name / names.version_name(bundle.sequence, root_sha256)

    def incoming(self, root_sha256: str) -> Path:
        return self.folder / f"{names.INCOMING}{root_sha256[:16]}"

    @property
    def uploads(self) -> Path:
        """Where uploads into registries that were cut off are remembered."""
        return self.folder / names.UPLOADS

    def versions(self) -> tuple[Version, ...]:
        """Every complete one. Raises BundleUnsafe when its root cannot be read."""
        found = sorted(self.folder.glob(f"[!.]*/[!.]*/{names.ROOT}"))
        return tuple(_load(path.parent) for path in found if not path.parent.is_symlink())

    def begun(self) -> tuple[Path, ...]:
        """Where the roots of loads lie that were begun and not finished."""
        return tuple(path.parent for path in sorted(self.folder.glob(f"{names.INCOMING}*/{names.HEAD}/{names.ROOT}")))

    def current(self, name: str) -> Path | None:
        link = self.folder / name / names.CURRENT
        return link.resolve() if link.is_symlink() else None

    def switch(self, version: Path) -> None:
        """Makes `version` the one in use by one rename; the one before stays. Raises OSError."""
        point_to(version.parent / names.CURRENT, version.name)
        sync_folder(version.parent)

    def fetched(self) -> dict[str, tuple[Path, int]]:
        """SHA-256 → file and size of weights that came by `fetch`."""
        found: dict[str, tuple[Path, int]] = {}
        for path in sorted((self.layout.home / names.WEIGHTS).glob(f"*/*/{WEIGHTS_FILE}")):
            if not path.parent.is_symlink():
                for file in _listed(path):
                    found[file.sha256] = path.parent / file.name, file.size_bytes
        return found

    def link_weights(self, bundle: Bundle) -> tuple[Path, ...]:
        """Lets each HOME/weights/MODEL/FORMAT show what the current version holds. Raises OSError.

        A folder that came by `fetch` is set aside, not removed: an engine may be running on it. Returns where it is.
        """
        aside = []
        for model in bundle.models:
            link = self.layout.weights(model.model_id, model.format)
            if link.is_dir() and not link.is_symlink():
                kept = link.with_name(f"{link.name}{names.ASIDE}{time.time_ns()}")
                link.rename(kept)
                aside.append(kept)
            inside = self.folder / bundle.name / names.CURRENT / names.FILES / names.WEIGHTS
            link.parent.mkdir(parents=True, exist_ok=True)
            point_to(link, os.path.relpath(inside / model.model_id / model.format, link.parent))
        return tuple(aside)


def blob_paths(versions: tuple[Version, ...]) -> dict[str, Path]:
    """SHA-256 → a file that is said to hold it."""
    return {file.sha256: one.folder / names.FILES / file.path for one in versions for file in one.bundle.files}


def point_to(link: Path, target: str) -> None:
    """A symlink made or replaced by one rename. Raises OSError."""
    if link.is_symlink() and os.readlink(link) == target:
        return
    beside = link.with_name(f".{link.name}.new")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(link)


def sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _listed(path: Path) -> tuple[WeightFile, ...]:
    try:
        return from_document(Weights, json.loads(path.read_text(encoding="utf-8"))).files
    except (OSError, ValueError):
        return ()  # a fetch that is under way or was broken off: nothing is held


def _load(folder: Path) -> Version:
    try:
        content = (folder / names.ROOT).read_bytes()
        return Version(decode(content), folder, hashlib.sha256(content).hexdigest())
    except (OSError, ValueError) as error:
        raise BundleUnsafe(
            text("unreadable", path=folder / names.ROOT, reason=error), hint=text("bundle-site-hint")
        ) from error
