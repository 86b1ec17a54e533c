"""Brings a plan's weights to this machine, each file whole and with the digest that its source promised."""

import json
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from dsdeploy.adapters.digests import sha256_file, workers
from dsdeploy.adapters.files import write_whole
from dsdeploy.adapters.hubs.base import Hub, Listing
from dsdeploy.adapters.stamps import changed_since, save_stamps
from dsdeploy.adapters.weight_headers import header_fault
from dsdeploy.core.documents import from_document, to_document
from dsdeploy.core.errors import DigestMismatch, DiskTooSmall, FetchError, WeightsNotFound, WeightsUnsafe
from dsdeploy.core.layout import WEIGHTS_FILE, Layout
from dsdeploy.core.progress import SILENT, Progress
from dsdeploy.core.texts import text
from dsdeploy.core.values import Operation, Plan, WeightFile, Weights

_PART = re.compile(r"-\d{5}-of-\d{5}(?=\.gguf$)")
_SPARE_BYTES = 64 << 20


def held_weights(plan: Plan, layout: Layout) -> Weights | None:
    """The plan's weights when all are here as they were verified; a file changed since then is hashed again."""
    folder = layout.weights(plan.model_id, plan.format)
    try:
        weights = from_document(Weights, json.loads((folder / WEIGHTS_FILE).read_text(encoding="utf-8")))
        changed = changed_since(folder, weights.files)
    except (OSError, ValueError):
        return None
    if plan.weights_sha256 not in (None, weights.files[0].sha256):
        return None
    weights = replace(weights, directory=str(folder))
    if changed:
        if altered_files(replace(weights, files=changed), SILENT):
            return None
        save_stamps(folder, weights.files)
    return weights


def fetch_operations(plan: Plan, held: Weights | None, origin: str) -> tuple[Operation, ...]:
    """What has to be fetched from `origin` before anything else; nothing when the weights are here."""
    if held is not None:
        return ()
    size = f"{plan.weights_bytes:,}"
    repo, pattern = plan.weights_repo, plan.weights_pattern
    return (Operation("fetch-weights", {"repo": repo, "pattern": pattern, "size": size, "origin": origin}),)


def altered_files(weights: Weights, progress: Progress) -> tuple[tuple[WeightFile, str | None], ...]:
    """Each file whose digest differs, with what was found (None for one that cannot be read). Reads everything once."""
    folder = Path(weights.directory)
    progress.begin(text("verifying", path=folder), sum(one.size_bytes for one in weights.files))

    def found(file: WeightFile) -> str | None:
        try:
            return sha256_file(folder / file.name, progress.advance)
        except OSError:
            return None

    with ThreadPoolExecutor(workers()) as pool:
        digests = list(pool.map(found, weights.files))
    progress.end()
    return tuple((file, got) for file, got in zip(weights.files, digests, strict=True) if got != file.sha256)


def fetch_weights(plan: Plan, layout: Layout, hub: Hub, progress: Progress) -> Weights:
    """Fetches what is missing or altered. Can be killed anywhere and run again. Raises a FetchError."""
    folder = layout.weights(plan.model_id, plan.format)
    progress.begin(text("listing", repo=plan.weights_repo))
    listing = hub.list_files(plan.weights_repo, plan.weights_revision, plan.weights_pattern)
    progress.end()
    _judge_listing(plan, listing)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        missing = tuple(one for one in listing.files if not _is_whole(folder / one.name, one, progress))
        _judge_disk(folder, missing)
        for file in missing:
            _fetch_one(plan, listing, file, folder, hub, progress)
        weights = Weights(plan.model_id, plan.format, hub.name, listing.revision, str(folder), listing.files)
        write_whole(folder / WEIGHTS_FILE, json.dumps(to_document(weights), indent=1))
        save_stamps(folder, listing.files)
    except OSError as error:
        place = error.filename or folder
        raise FetchError(
            text("not-writable", path=place, reason=error.strerror or error), hint=text("not-writable-hint")
        ) from error
    return weights


def _judge_listing(plan: Plan, listing: Listing) -> None:
    if not listing.files:
        message = text("no-such-weights", repo=plan.weights_repo, pattern=plan.weights_pattern)
        raise WeightsNotFound(message, hint=text("not-at-hub-hint"))
    stems = {_PART.sub("", one.name) for one in listing.files}
    if len(stems) > 1:
        names = ", ".join(sorted(stems))
        message = text("ambiguous-weights", pattern=plan.weights_pattern, names=names)
        raise WeightsNotFound(message, hint=text("ambiguous-weights-hint"))
    if plan.weights_sha256 not in (None, listing.files[0].sha256):
        raise _mismatch(listing.files[0].name, str(plan.weights_sha256), listing.files[0].sha256)


def _is_whole(path: Path, file: WeightFile, progress: Progress) -> bool:
    """Whether that file is here with its digest; one that differs is taken away, so that it is fetched anew."""
    if not path.is_file():
        return False
    progress.begin(text("verifying", path=path), file.size_bytes)
    whole = path.stat().st_size == file.size_bytes and sha256_file(path, progress.advance) == file.sha256
    progress.end()
    if not whole:
        path.unlink()
    return whole


def _judge_disk(folder: Path, missing: tuple[WeightFile, ...]) -> None:
    there = sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.name.endswith(".partial"))
    needed = sum(one.size_bytes for one in missing) - there + (_SPARE_BYTES if missing else 0)
    free = shutil.disk_usage(folder).free
    if needed > free:
        message = text("disk-too-small", path=folder, needed=f"{needed:,}", free=f"{free:,}")
        raise DiskTooSmall(message, hint=text("disk-too-small-hint"))


def _fetch_one(plan: Plan, listing: Listing, file: WeightFile, folder: Path, hub: Hub, progress: Progress) -> None:
    path = folder / file.name
    partial = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    progress.begin(text("fetching", name=file.name), file.size_bytes)
    hub.fetch_file(plan.weights_repo, listing, file, partial, progress)
    progress.end()
    progress.begin(text("verifying", path=path), file.size_bytes)
    found = sha256_file(partial, progress.advance)
    progress.end()
    if found != file.sha256:
        partial.unlink()
        raise _mismatch(file.name, file.sha256, found)
    if fault := header_fault(partial):
        partial.unlink()
        raise WeightsUnsafe(text("header-fault", name=file.name, fault=fault), hint=text("weights-unsafe-hint"))
    with partial.open("rb") as done:
        os.fsync(done.fileno())
    os.replace(partial, path)


def _mismatch(name: str, expected: str, found: str) -> DigestMismatch:
    message = text("digest-mismatch", name=name, expected=expected, found=found)
    return DigestMismatch(message, hint=text("digest-mismatch-hint"))
