"""Brings a plan's weights to this machine, each file whole and with the digest that its source promised."""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path, PurePosixPath

from dsdeploy.adapters.digests import git_sha1_file, sha256_file, workers
from dsdeploy.adapters.files import write_whole
from dsdeploy.adapters.hubs.base import Hub, ListedFile, Listing
from dsdeploy.adapters.stamps import changed_since, save_stamps
from dsdeploy.adapters.weight_headers import header_fault
from dsdeploy.core.documents import from_document, to_document
from dsdeploy.core.errors import DigestMismatch, DiskTooSmall, FetchError, WeightsNotFound, WeightsUnsafe
from dsdeploy.core.layout import WEIGHTS_FILE, Layout
from dsdeploy.core.progress import SILENT, Progress
from dsdeploy.core.sizes import size_words
from dsdeploy.core.texts import text
from dsdeploy.core.values import Operation, Plan, WeightFile, Weights
from dsdeploy.core.weight_files import companion_files, indexed_files, is_index, models_among, tensor_files

_SPARE_BYTES = 64 << 20
PARTIAL = ".partial"


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
    size = size_words(plan.weights_bytes)
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
    """Fetches what is missing or altered. Can be killed anywhere and run again. Raises a FetchError.

    The small files beside the tensors come first: an index among them says which tensors the model is made of.
    """
    folder = layout.weights(plan.model_id, plan.format)
    progress.begin(text("listing", repo=plan.weights_repo))
    listing = hub.list_files(plan.weights_repo, plan.weights_revision)
    progress.end()
    tensors, companions = _choose(plan, listing)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _judge_disk(folder, (*tensors, *companions))
        beside = tuple(_bring(plan, listing, one, folder, hub, progress) for one in companions)
        tensors = _indexed(plan, tensors, tuple(one.name for one in companions), folder)
        files = (*(_bring(plan, listing, one, folder, hub, progress) for one in tensors), *beside)
        weights = Weights(plan.model_id, plan.format, hub.name, listing.revision, str(folder), files)
        write_whole(folder / WEIGHTS_FILE, json.dumps(to_document(weights), indent=1))
        save_stamps(folder, files)
    except OSError as error:
        place = error.filename or folder
        raise FetchError(text("not-writable", path=place, reason=error), hint=text("not-writable-hint")) from error
    return weights


def _choose(plan: Plan, listing: Listing) -> tuple[tuple[ListedFile, ...], tuple[ListedFile, ...]]:
    """The tensors and what goes with them. Raises WeightsNotFound, WeightsUnsafe, DigestMismatch."""
    by_name = {one.name: one for one in listing.files}
    try:
        tensors = tensor_files(by_name, plan.weights_pattern)
    except ValueError as error:
        raise WeightsUnsafe(text("weights-unsafe", name=str(error)), hint=text("weights-unsafe-hint")) from error
    if not tensors:
        message = text("no-such-weights", repo=plan.weights_repo, pattern=plan.weights_pattern)
        raise WeightsNotFound(message, hint=text("not-at-hub-hint"))
    if len(models := models_among(tensors)) > 1:
        message = text("ambiguous-weights", pattern=plan.weights_pattern, names=", ".join(models))
        raise WeightsNotFound(message, hint=text("ambiguous-weights-hint"))
    first = by_name[tensors[0]]
    if plan.weights_sha256 is not None and first.sha256 is not None and plan.weights_sha256 != first.sha256:
        raise _mismatch(first.name, plan.weights_sha256, first.sha256)
    return tuple(map(by_name.__getitem__, tensors)), tuple(map(by_name.__getitem__, companion_files(by_name, tensors)))


def _indexed(
    plan: Plan, tensors: tuple[ListedFile, ...], companions: tuple[str, ...], folder: Path
) -> tuple[ListedFile, ...]:
    """Without an index all of them, else those that it names. Raises WeightsNotFound when it names one too many."""
    index = next((name for name in companions if is_index(name)), None)
    if index is None or not tensors[0].name.lower().endswith(".safetensors"):
        return tensors
    try:
        named = indexed_files((folder / index).read_text(encoding="utf-8"), str(PurePosixPath(index).parent))
    except ValueError as error:
        raise WeightsUnsafe(text("header-fault", name=index, fault=error), hint=text("weights-unsafe-hint")) from error
    kept = tuple(one for one in tensors if one.name in named)
    if lacking := sorted(named - {one.name for one in kept}):
        message = text("index-names-more", index=index, repo=plan.weights_repo, names=", ".join(lacking[:5]))
        raise WeightsNotFound(message, hint=text("not-at-hub-hint"))
    return kept


def _judge_disk(folder: Path, files: tuple[ListedFile, ...]) -> None:
    """Before the first byte: what the disk holds already counts as room. Raises DiskTooSmall."""
    places = (folder / f"{one.name}{ending}" for one in files for ending in ("", PARTIAL))
    there = sum(path.stat().st_blocks * 512 for path in places if path.is_file())
    needed = sum(one.size_bytes for one in files) - there + _SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if there < sum(one.size_bytes for one in files) and needed > free:
        message = text("disk-too-small", path=folder, needed=size_words(needed), free=size_words(free))
        raise DiskTooSmall(message, hint=text("disk-too-small-hint"))


def _bring(plan: Plan, listing: Listing, file: ListedFile, folder: Path, hub: Hub, progress: Progress) -> WeightFile:
    """That file whole in its place: the one that is there if its digest is right, else fetched."""
    path = folder / file.name
    if path.is_file():
        found = _digest(path, file, progress)
        if path.stat().st_size == file.size_bytes and _is_promised(path, file, found):
            return WeightFile(file.name, file.size_bytes, found)
        path.unlink()
    partial = path.with_name(path.name + PARTIAL)
    path.parent.mkdir(parents=True, exist_ok=True)
    progress.begin(text("fetching", name=file.name), file.size_bytes)
    hub.fetch_file(plan.weights_repo, listing, file, partial, progress)
    progress.end()
    found = _digest(partial, file, progress)
    if not _is_promised(partial, file, found):
        found = found if file.sha256 else git_sha1_file(partial)
        partial.unlink()
        raise _mismatch(file.name, str(file.sha256 or file.git_sha1), found)
    if fault := header_fault(partial):
        partial.unlink()
        raise WeightsUnsafe(text("header-fault", name=file.name, fault=fault), hint=text("weights-unsafe-hint"))
    with partial.open("rb") as done:
        os.fsync(done.fileno())
    os.replace(partial, path)
    return WeightFile(file.name, path.stat().st_size, found)


def _digest(path: Path, file: ListedFile, progress: Progress) -> str:
    progress.begin(text("verifying", path=file.name), file.size_bytes)
    found = sha256_file(path, progress.advance)
    progress.end()
    return found


def _is_promised(path: Path, file: ListedFile, sha256: str) -> bool:
    """Whether the digest is the one that the source states, where it states one."""
    if file.sha256 is None and file.git_sha1 is not None:
        return git_sha1_file(path) == file.git_sha1
    return file.sha256 in (None, sha256)


def _mismatch(name: str, expected: str, found: str) -> DigestMismatch:
    message = text("digest-mismatch", name=name, expected=expected, found=found)
    return DigestMismatch(message, hint=text("digest-mismatch-hint"))
