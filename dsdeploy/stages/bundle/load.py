"""Loads a bundle into a site: verified first, one pass over the media, the old version kept, the switch one rename."""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from dsdeploy.adapters.bundle import audit, keys
from dsdeploy.adapters.bundle.images import Delivered
from dsdeploy.adapters.bundle.journal import Journal
from dsdeploy.adapters.bundle.media import open_regular, read_head
from dsdeploy.adapters.bundle.room import ImageSize
from dsdeploy.adapters.bundle.site import Site, blob_paths, sync_folder
from dsdeploy.adapters.bundle.stream import Copier, Digest, ReadFailed
from dsdeploy.adapters.files import write_whole
from dsdeploy.adapters.stamps import save_stamps
from dsdeploy.core.bundle import names
from dsdeploy.core.bundle.modelpack import oci_layout
from dsdeploy.core.bundle.values import Bundle
from dsdeploy.core.documents import to_document
from dsdeploy.core.errors import (
    BaseMissing,
    BundleError,
    BundleNoRoom,
    BundleUnsafe,
    DsdeployError,
    SequenceOlder,
)
from dsdeploy.core.layout import WEIGHTS_FILE, Layout
from dsdeploy.core.progress import Progress
from dsdeploy.core.sizes import size_words
from dsdeploy.core.texts import text
from dsdeploy.core.values import WeightFile, Weights
from dsdeploy.stages.bundle.build import write_failed
from dsdeploy.stages.bundle.opening import Opened, open_bundle, read_root
from dsdeploy.stages.bundle.receive import Receiver, receive_all
from dsdeploy.stages.bundle.verify import raise_first, raise_missing

_SPARE_BYTES = 16 * 2**20  # folders, journal, root


@dataclass(frozen=True, slots=True)
class Consent:
    """What the user took upon himself; each is recorded in the result and in the log."""

    unsigned: bool = False
    rollback: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where the images go: docker, containerd, a registry as HOST[:PORT][/PREFIX], or None: nowhere yet."""

    name: str | None
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    name: str
    sequence: int
    root_sha256: str
    folder: str
    signers: tuple[keys.Signer, ...]
    unsigned: bool
    rolled_back: bool
    files: int
    carried_bytes: int
    previous: str | None
    plan: str
    images: tuple[str, ...]
    set_aside: tuple[str, ...]
    delivered: tuple[Delivered, ...] = ()


def load(
    folders: tuple[Path, ...],
    layout: Layout,
    trusted: tuple[keys.PublicKey, ...],
    consent: Consent,
    progress: Progress,
) -> Loaded:
    """Raises a BundleError; called again, also with other volumes, it goes on. Every outcome is in the audit log."""
    site = Site(layout)
    log = site.folder / names.AUDIT_LOG
    try:
        opened = open_bundle(folders, trusted, consent.unsigned, site.begun())
        loaded = _load(opened, site, consent, progress)
    except DsdeployError as error:
        facts = {"error": error.code, "reason": error.message.render("en"), "media": [str(one) for one in folders]}
        if layout.home.is_dir():
            audit.record(log, "bundle-refused", facts)
        raise
    except OSError as error:
        raise write_failed(site.folder, error) from error
    audit.record(log, "bundle-loaded", asdict(loaded))
    return loaded


def record_delivery(loaded: Loaded, delivered: tuple[Delivered, ...], place: Place, layout: Layout) -> None:
    """Where the images went, into the log. Raises BundleNotWritable."""
    facts = {"name": loaded.name, "sequence": loaded.sequence, "to": place.name}
    images = {one.reference: one.pinned for one in delivered}
    audit.record(Site(layout).folder / names.AUDIT_LOG, "images-delivered", {**facts, "images": images})


def image_sizes(folders: tuple[Path, ...], layout: Layout) -> tuple[ImageSize, ...]:
    """What the root says of its images, before anything is believed; nothing where no root can be read yet."""
    try:
        heads = folders if any((one / names.ROOT).exists() for one in folders) else Site(layout).begun()
        bundle = read_root(read_head(heads).root)
    except BundleError:
        return ()
    digests = {file.path: file.sha256 for file in bundle.files}
    sizes = {blob.sha256: blob.size_bytes for blob in bundle.blobs}
    return tuple(
        ImageSize((f"sha256:{one.image_id}", *one.references), sizes.get(digests.get(one.path, ""), 0))
        for one in bundle.images
    )


def loaded_plan(folder: Path, layout: Layout) -> Path | None:
    """The plan of a version that is here: `folder` is the version itself, or a medium with its root."""
    plan = folder / names.FILES / names.PLAN
    if plan.is_file():
        return plan
    root_sha256 = hashlib.sha256(read_head((folder,)).root).hexdigest()
    here = [one for one in Site(layout).versions() if one.root_sha256 == root_sha256]
    return next(
        (
            one.folder / names.FILES / names.PLAN
            for one in here
            if Site(layout).current(one.bundle.name) == one.folder.resolve()
        ),
        None,
    )


def _load(opened: Opened, site: Site, consent: Consent, progress: Progress) -> Loaded:
    bundle = opened.bundle
    version = site.version_folder(bundle, opened.root_sha256)
    site.folder.mkdir(parents=True, exist_ok=True)
    with Journal(site.folder / names.LOCK):
        older = _judge_sequence(opened, site, consent)
        previous = site.current(bundle.name)
        if not version.is_dir():
            _bring(opened, site, version, progress)
        shutil.rmtree(site.incoming(opened.root_sha256), ignore_errors=True)
        aside = site.link_weights(bundle)
        site.switch(version)
    return Loaded(
        bundle.name,
        bundle.sequence,
        opened.root_sha256,
        str(version),
        opened.signers,
        opened.unsigned,
        older,
        len(bundle.files),
        bundle.carried_bytes,
        None if previous in (None, version.resolve()) else str(previous),
        str(version / names.FILES / names.PLAN),
        tuple(str(version / names.FILES / image.path) for image in bundle.images),
        tuple(map(str, aside)),
    )


def _bring(opened: Opened, site: Site, version: Path, progress: Progress) -> None:
    bundle, incoming = opened.bundle, site.incoming(opened.root_sha256)
    held = {sha256: path for sha256, (path, _) in site.fetched().items()} | blob_paths(site.versions())
    lacking = [blob for blob in bundle.blobs if blob.sha256 not in bundle.carried and blob.sha256 not in held]
    if lacking:
        base = f"{bundle.base.name} {bundle.base.sequence}" if bundle.base else "-"
        size = size_words(sum(blob.size_bytes for blob in lacking))
        raise BaseMissing(
            text("base-missing", base=base, count=len(lacking), size=size), hint=text("base-missing-hint")
        )
    incoming.mkdir(exist_ok=True, mode=0o700)
    _judge_room(incoming, bundle)
    _keep_head(opened, incoming / names.HEAD)
    with Journal(incoming / names.LOAD_JOURNAL) as journal, Copier(progress.advance, keep_written=True) as copier:
        with Receiver(incoming, bundle, journal) as receiver:
            progress.begin(text("bundle-loading", name=bundle.name), bundle.carried_bytes)
            bad, missing = receive_all(receiver, bundle, opened.volumes, copier)
            progress.end()
            raise_first(bad)
            raise_missing(missing)
            receiver.finish()
        staged = incoming / "version"
        _take_from_base(bundle, held, incoming, copier, progress)
        shutil.rmtree(staged, ignore_errors=True)
        _apply_map(bundle, incoming, staged / names.FILES)
    _write_weights(opened, staged / names.FILES, site.layout)
    _write_layout(bundle, staged)
    _keep_head(opened, staged)
    version.parent.mkdir(exist_ok=True)
    for folder in (staged, *(one for one in staged.rglob("*") if one.is_dir())):
        sync_folder(folder)
    staged.rename(version)
    sync_folder(version.parent)


def _keep_head(opened: Opened, folder: Path) -> None:
    """The root last: a folder that has one has the rest."""
    folder.mkdir(exist_ok=True)
    for name in sorted(opened.texts, key=lambda name: name == names.ROOT):
        write_whole(folder / name, opened.texts[name].decode(), 0o644)


def _judge_sequence(opened: Opened, site: Site, consent: Consent) -> bool:
    """True when an older one is loaded with consent. Raises SequenceOlder."""
    bundle = opened.bundle
    others = [one for one in site.versions() if one.bundle.name == bundle.name]
    newest = max((one.bundle.sequence for one in others if one.root_sha256 != opened.root_sha256), default=-1)
    if bundle.sequence > newest:
        return False
    if not consent.rollback:
        message = text("sequence-older", name=bundle.name, found=bundle.sequence, newest=newest)
        raise SequenceOlder(message, hint=text("sequence-older-hint"))
    return True


def _judge_room(incoming: Path, bundle: Bundle) -> None:
    """Raises BundleNoRoom, with the arithmetic."""
    there = sum(one.stat().st_blocks * 512 for one in incoming.rglob("*") if one.is_file())
    disk = os.statvfs(incoming)
    free = disk.f_bavail * disk.f_frsize
    if bundle.carried_bytes + _SPARE_BYTES - there > free:
        message = text(
            "bundle-no-room",
            path=incoming.parent,
            payload=size_words(bundle.carried_bytes),
            around=size_words(_SPARE_BYTES),
            there=size_words(there),
            free=size_words(free),
        )
        raise BundleNoRoom(message, hint=text("bundle-no-room-hint"))


def _take_from_base(bundle: Bundle, held: dict[str, Path], incoming: Path, copier: Copier, progress: Progress) -> None:
    """Links what the base holds, after hashing it again: a site's disk is not believed either. Raises BaseMissing."""
    blobs = [blob for blob in bundle.blobs if blob.sha256 not in bundle.carried]
    if not blobs:
        return
    progress.begin(text("bundle-checking-base"), sum(blob.size_bytes for blob in blobs))
    for blob in blobs:
        source = held[blob.sha256]
        digest: Digest = hashlib.sha256()
        try:
            file = open_regular(source)
            try:
                copier.copy(file, 0, os.fstat(file).st_size, (digest,), None)
            finally:
                os.close(file)
        except (BundleUnsafe, ReadFailed) as error:
            raise BaseMissing(text("base-altered", path=source), hint=text("base-missing-hint")) from error
        if digest.hexdigest() != blob.sha256:
            raise BaseMissing(text("base-altered", path=source), hint=text("base-missing-hint"))
        if not (incoming / blob.sha256).exists():
            os.link(source, incoming / blob.sha256)
    progress.end()


def _apply_map(bundle: Bundle, incoming: Path, files: Path) -> None:
    """Only now do contents get their paths; files of one content share it, and none can be written to."""
    for file in bundle.files:
        path, blob = files / file.path, incoming / file.sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            blob.chmod(0o444)
            os.link(blob, path)


def _write_layout(bundle: Bundle, staged: Path) -> None:
    """The models once more, as an OCI layout: manifests, and links that take no room."""
    layout = oci_layout(bundle)
    for name, content in layout.texts.items():
        (staged / names.OCI / name).parent.mkdir(parents=True, exist_ok=True)
        write_whole(staged / names.OCI / name, content.decode(), 0o444)
    for name, path in layout.links.items():
        (staged / names.OCI / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(staged / names.FILES / path, staged / names.OCI / name)


def _write_weights(opened: Opened, files: Path, layout: Layout) -> None:
    bundle = opened.bundle
    sizes = {blob.sha256: blob.size_bytes for blob in bundle.blobs}
    digests = {file.path: file.sha256 for file in bundle.files}
    for model in bundle.models:
        folder = f"{names.WEIGHTS}/{model.model_id}/{model.format}"
        listed = tuple(
            WeightFile(path.removeprefix(folder + "/"), sizes[digests[path]], digests[path]) for path in model.files
        )
        place = str(layout.weights(model.model_id, model.format))
        weights = Weights(model.model_id, model.format, model.source, model.revision, place, listed)
        write_whole(files / folder / WEIGHTS_FILE, json.dumps(to_document(weights), indent=1))
        save_stamps(files / folder, listed)
        signature = opened.texts.get(names.model_signature_name(model.model_id, model.format))
        if signature is not None:
            write_whole(files / folder / names.MODEL_SIGNATURE, signature.decode(), 0o444)
