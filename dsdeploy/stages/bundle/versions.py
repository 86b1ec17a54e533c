"""The versions that a site keeps: what they hold, which is in use, and which may go."""

import platform
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dsdeploy.adapters.bundle import audit
from dsdeploy.adapters.bundle.journal import Journal
from dsdeploy.adapters.bundle.site import Site, Version
from dsdeploy.core.bundle import names
from dsdeploy.core.bundle.values import Blob, Inventory
from dsdeploy.core.errors import VersionUnknown
from dsdeploy.core.layout import Layout
from dsdeploy.core.sizes import size_words
from dsdeploy.core.texts import text
from dsdeploy.core.values import Operation
from dsdeploy.stages.bundle.build import write_failed


@dataclass(frozen=True, slots=True)
class Pruned:
    """`versions` are folders; `freed_bytes` counts what no other version shares; nothing was done when only shown."""

    versions: tuple[str, ...]
    freed_bytes: int
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Switched:
    name: str
    sequence: int
    folder: str
    plan: str


@dataclass(frozen=True, slots=True)
class Log:
    """`events` are the lines as they were written; `broken_at` is the first that was tampered with, or before it."""

    path: str
    events: tuple[dict[str, Any], ...]
    broken_at: int | None


def read_log(layout: Layout) -> Log:
    """What happened to bundles at this site, and whether the log is whole."""
    path = Site(layout).folder / names.AUDIT_LOG
    if not path.exists():
        return Log(str(path), (), None)
    events, broken = audit.read(path)
    return Log(str(path), events, broken)


def inventory(layout: Layout) -> Inventory:
    """Everything that a differential bundle may leave out. It is hashed when it is used, not here."""
    site = Site(layout)
    blobs = {blob.sha256: blob for one in site.versions() for blob in one.bundle.blobs}
    blobs |= {sha256: Blob(sha256, size) for sha256, (_, size) in site.fetched().items() if sha256 not in blobs}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Inventory(platform.node(), now, tuple(blobs[one] for one in sorted(blobs)))


def prunable(layout: Layout, keep: int) -> tuple[Version, ...]:
    """Of each bundle all but the version in use and the newest others, `keep` versions in all."""
    site = Site(layout)
    old: list[Version] = []
    for name in sorted({one.bundle.name for one in site.versions()}):
        current = site.current(name)
        ours = [one for one in site.versions() if one.bundle.name == name and one.folder.resolve() != current]
        newest = sorted(ours, key=lambda one: one.bundle.sequence, reverse=True)
        old += newest[max(0, keep - (current is not None)) :]
    return tuple(old)


def prune_operations(versions: tuple[Version, ...]) -> tuple[Operation, ...]:
    return tuple(
        Operation("remove-version", {"path": str(one.folder), "size": size_words(_own_bytes(one))}) for one in versions
    )


def prune(layout: Layout, versions: tuple[Version, ...]) -> Pruned:
    """Out of sight by one rename each, then removed; a kill leaves at most what the next run removes.

    Raises BundleBusy, BundleNotWritable.
    """
    site = Site(layout)
    operations = prune_operations(versions)
    try:
        site.folder.mkdir(parents=True, exist_ok=True)
        with Journal(site.folder / names.LOCK):
            freed = sum(map(_own_bytes, versions))
            for one in versions:
                one.folder.rename(site.folder / f"{names.PRUNED}{one.bundle.name}-{one.folder.name}")
            for left in site.folder.glob(f"{names.PRUNED}*"):
                shutil.rmtree(left)
    except OSError as error:
        raise write_failed(site.folder, error) from error
    done = Pruned(tuple(str(one.folder) for one in versions), freed, operations)
    audit.record(site.folder / names.AUDIT_LOG, "bundle-pruned", {"versions": done.versions, "freed_bytes": freed})
    return done


def roll_back(layout: Layout, name: str | None, sequence: int | None) -> Switched:
    """Makes an older version that is still here the one in use, by one rename. Raises VersionUnknown, BundleBusy."""
    site = Site(layout)
    versions = [one for one in site.versions() if name in (None, one.bundle.name)]
    known = sorted({one.bundle.name for one in versions})
    if len(known) != 1:
        raise VersionUnknown(text("bundle-which", known=", ".join(known) or "-"), hint=text("bundle-which-hint"))
    current = site.current(known[0])
    now = next((one.bundle.sequence for one in versions if one.folder.resolve() == current), None)
    older = [one for one in versions if sequence in (None, one.bundle.sequence) and one.folder.resolve() != current]
    if sequence is None:
        older = [one for one in older if now is None or one.bundle.sequence < now]
    if not older:
        here = ", ".join(str(one.bundle.sequence) for one in versions)
        raise VersionUnknown(text("bundle-no-version", name=known[0], here=here), hint=text("bundle-no-version-hint"))
    chosen = max(older, key=lambda one: one.bundle.sequence)
    try:
        with Journal(site.folder / names.LOCK):
            site.link_weights(chosen.bundle)
            site.switch(chosen.folder)
    except OSError as error:
        raise write_failed(site.folder, error) from error
    facts = {"name": known[0], "from": now, "to": chosen.bundle.sequence}
    audit.record(site.folder / names.AUDIT_LOG, "bundle-rolled-back", facts)
    plan = chosen.folder / names.FILES / names.PLAN
    return Switched(known[0], chosen.bundle.sequence, str(chosen.folder), str(plan))


def _own_bytes(version: Version) -> int:
    """What removing it would free: files that nothing outside of it links to."""
    inside: dict[int, tuple[int, int, int]] = {}
    for path in version.folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            stat = path.stat()
            seen = inside.get(stat.st_ino, (0, 0, 0))[0]
            inside[stat.st_ino] = seen + 1, stat.st_nlink, stat.st_blocks * 512
    return sum(size for seen, links, size in inside.values() if seen == links)
