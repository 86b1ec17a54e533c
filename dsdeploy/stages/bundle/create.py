"""Builds a signed bundle in one folder: volumes first, the root over them, its signature last."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dsdeploy.adapters.bundle import audit, keys
from dsdeploy.adapters.bundle.journal import Journal, first_entry
from dsdeploy.adapters.bundle.keys import Passphrase, nobody
from dsdeploy.adapters.bundle.media import read_root_of
from dsdeploy.adapters.bundle.stream import Copier
from dsdeploy.core.bundle import names
from dsdeploy.core.bundle.safety import judge
from dsdeploy.core.bundle.ustar import BLOCK_BYTES, END, member_bytes
from dsdeploy.core.bundle.values import MEDIA_FORMAT, Base, Blob, Bundle, BundleFile, Inventory
from dsdeploy.core.bundle.volumes import CAPACITIES_BYTES, LEAST_CAPACITY_BYTES, PIECE_BYTES, cut
from dsdeploy.core.errors import BundleExists, BundleNoRoom, BundleUsage
from dsdeploy.core.progress import Progress
from dsdeploy.core.sizes import size_words
from dsdeploy.core.texts import text
from dsdeploy.stages.bundle.build import Builder, Built, sm3_of, write_failed
from dsdeploy.stages.bundle.gather import Content, Gathered
from dsdeploy.stages.bundle.opening import judge_root, read_base
from dsdeploy.stages.bundle.seal import seal


@dataclass(frozen=True, slots=True)
class Order:
    """What to build. `sequence` None means the time of creation in seconds, which grows by itself. What lies in
    `staging` was saved for this build alone and goes once it is carried."""

    out: Path
    name: str
    keys: tuple[str, ...]
    volume: str | None = None
    base: Path | None = None
    sequence: int | None = None
    sm3: bool = False
    images: tuple[str, ...] = ()
    include: tuple[Path, ...] = ()
    wheels: Path | None = None
    allow_unsigned: bool = False
    passphrase: Passphrase = nobody
    staging: Path | None = None


@dataclass(frozen=True, slots=True)
class Created:
    name: str
    sequence: int
    created: str
    root_sha256: str
    folder: str
    volumes: int
    files: int
    payload_bytes: int
    carried_bytes: int
    signers: tuple[str, ...]


def judge_order(order: Order, gathered: Gathered) -> int:
    """What can be told before a byte of payload is touched, and how many are going to be carried.

    Raises BundleUsage, BundleExists, BundleMissing, BundleUnsafe.
    """
    if not names.BUNDLE_NAME.fullmatch(order.name):
        raise BundleUsage(text("bundle-bad-name", found=order.name), hint=text("bundle-bad-name-hint"))
    if not order.keys and not order.allow_unsigned:
        raise BundleUsage(text("bundle-no-key"), hint=text("bundle-no-key-hint"))
    if order.sm3 and "sm3" not in hashlib.algorithms_available:
        raise BundleUsage(text("bundle-no-sm3"), hint=text("bundle-no-sm3-hint"))
    volume_capacity(order.volume)
    base = None if order.base is None else _load_base(order.base)
    if order.sequence is not None:
        _judge_sequence(order.name, order.sequence, base)
    if (order.out / names.SIGNATURE).exists() and not (order.out / names.BUILD_JOURNAL).exists():
        raise BundleExists(text("bundle-exists", path=order.out), hint=text("bundle-exists-hint"))
    held = {blob.sha256 for blob in base[1]} if base else set()
    return sum(one.size_bytes for one in gathered.contents if one.sha256 not in held)


def create(order: Order, gathered: Gathered, environment: dict[str, str], progress: Progress) -> Created:
    """Raises BundleUsage, BundleExists, BundleNoRoom, PayloadAltered, KeyUnusable, BundleBusy, BundleNotWritable."""
    judge_order(order, gathered)
    capacity = volume_capacity(order.volume)
    signing = tuple(keys.load_private(path, order.passphrase) for path in order.keys)
    base = None if order.base is None else _load_base(order.base)
    held = {blob.sha256: blob if order.sm3 else replace(blob, sm3=None) for blob in base[1]} if base else {}
    contents = tuple(one for one in gathered.contents if one.sha256 not in held)
    bare = tuple(one for one in gathered.contents if order.sm3 and one.sha256 in held and not held[one.sha256].sm3)
    try:
        order.out.mkdir(parents=True, exist_ok=True)
        with Journal(order.out / names.BUILD_JOURNAL) as journal:
            sequence, created = _begin(journal, order, contents, environment)
            _judge_sequence(order.name, sequence, base)
            slots = cut(tuple(one.size_bytes for one in contents), capacity)
            _judge_room(order, contents, slots[-1].volume + 1 if slots else 0)
            read_bytes = sum(one.size_bytes for one in (*contents, *bare))
            progress.begin(text("bundle-building", name=order.name), read_bytes)
            built = Built((), ())
            with Copier(progress.advance, keep_written=False) as copier:
                if slots:
                    built = Builder(
                        order.out, order.name, contents, slots, journal, sm3=order.sm3, staging=order.staging
                    ).build(copier)
                for one in bare:
                    held[str(one.sha256)] = replace(held[str(one.sha256)], sm3=sm3_of(one, copier))
            progress.end()
            bundle = _root(order, gathered, contents, built, held, base[0] if base else None, sequence, created)
            root_sha256, signers = seal(order.out, bundle, signing)
            journal.path.unlink()
    except OSError as error:
        raise write_failed(order.out, error) from error
    made = Created(
        bundle.name,
        bundle.sequence,
        bundle.created,
        root_sha256,
        str(order.out),
        len(bundle.volumes),
        len(bundle.files),
        sum(blob.size_bytes for blob in bundle.blobs),
        bundle.carried_bytes,
        signers,
    )
    audit.record(order.out.with_name(order.out.name + "." + names.AUDIT_LOG), "bundle-created", asdict(made))
    return made


def goes_on(order: Order, gathered: Gathered) -> bool:
    """Whether `create` would continue what was cut off in this folder. Raises BundleMissing, BundleUnsafe."""
    base = None if order.base is None else _load_base(order.base)
    held = {blob.sha256 for blob in base[1]} if base else set()
    contents = tuple(one for one in gathered.contents if one.sha256 not in held)
    return first_entry(order.out / names.BUILD_JOURNAL).get("fingerprint") == _fingerprint(order, contents)


def volume_capacity(volume: str | None) -> int | None:
    """A preset's or a number's bytes. Raises BundleUsage."""
    if volume is None:
        return None
    if volume in CAPACITIES_BYTES:
        return CAPACITIES_BYTES[volume]
    if not volume.isdecimal() or int(volume) < LEAST_CAPACITY_BYTES:
        known = ", ".join(CAPACITIES_BYTES)
        raise BundleUsage(
            text("bundle-bad-volume", found=volume),
            hint=text("bundle-bad-volume-hint", known=known, least=LEAST_CAPACITY_BYTES),
        )
    return int(volume)


def _begin(
    journal: Journal, order: Order, contents: tuple[Content, ...], environment: dict[str, str]
) -> tuple[int, str]:
    """Sequence and time of creation: those of the build that was cut off when nothing changed since, else new ones."""
    fingerprint = _fingerprint(order, contents)
    if journal.entries and journal.entries[0].get("fingerprint") == fingerprint:
        return int(journal.entries[0]["sequence"]), str(journal.entries[0]["created"])
    leftover = [one for one in order.out.iterdir() if one != journal.path]
    texts = (*names.SIGNED_TEXTS, names.SIGNATURE)
    if any(
        not one.name.startswith((order.name + "-v", *texts))
        and not one.name.removesuffix(names.PARTIAL).endswith(names.MODEL_SIGNATURE)
        for one in leftover
    ):
        raise BundleExists(text("bundle-not-empty", path=order.out), hint=text("bundle-exists-hint"))
    if leftover and not journal.entries:
        raise BundleExists(text("bundle-not-empty", path=order.out), hint=text("bundle-exists-hint"))
    for one in leftover:
        one.unlink()
    epoch = environment.get("SOURCE_DATE_EPOCH", "")
    now = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdecimal() else datetime.now(UTC)
    sequence = int(now.timestamp()) if order.sequence is None else order.sequence
    created = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    journal.clear()
    journal.append([{"fingerprint": fingerprint, "sequence": sequence, "created": created}])
    journal.entries = [{}]
    return sequence, created


def _fingerprint(order: Order, contents: tuple[Content, ...]) -> str:
    parts: list[Any] = [order.name, order.volume, order.sequence, order.sm3, str(order.base)]
    parts += [[str(one.source), one.paths, one.stamp, one.sha256] for one in contents]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _judge_sequence(name: str, sequence: int, base: tuple[Base, tuple[Blob, ...]] | None) -> None:
    """Raises BundleUsage where whoever loaded the base would refuse this bundle; an inventory has no sequence."""
    if base and base[0].name == name and base[0].sequence >= sequence:
        message = text("bundle-not-newer", sequence=sequence, base=base[0].sequence)
        raise BundleUsage(message, hint=text("bundle-not-newer-hint"))


def _judge_room(order: Order, contents: tuple[Content, ...], volumes: int) -> None:
    """Before the first byte of payload. What is staged on the same disk makes room piece by piece, behind what is
    carried of it. Raises BundleNoRoom, with the arithmetic."""
    out = order.out
    payload = sum(one.size_bytes for one in contents)
    around = sum(member_bytes(one.size_bytes) - one.size_bytes for one in contents)
    around += volumes * (2 * BLOCK_BYTES + len(END))
    there = sum(one.stat().st_blocks * 512 for one in out.iterdir())
    saved = [one.source.stat() for one in contents if one.source.parent == order.staging and one.source.exists()]
    there += sum(one.st_blocks * 512 for one in saved if one.st_dev == out.stat().st_dev)
    piece = min(PIECE_BYTES, max((one.st_size for one in saved), default=0))
    around = max(around, piece + there - payload)
    disk = os.statvfs(out)
    free = disk.f_bavail * disk.f_frsize
    if payload + around - there > free:
        message = text(
            "bundle-no-room",
            path=out,
            payload=size_words(payload),
            around=size_words(around),
            there=size_words(there),
            free=size_words(free),
        )
        raise BundleNoRoom(message, hint=text("bundle-no-room-hint"))


def _load_base(path: Path) -> tuple[Base, tuple[Blob, ...]]:
    """An earlier bundle or a site's inventory, and what it holds. Raises BundleMissing, BundleUnsafe."""
    content = read_root_of(path)
    found = read_base(content)
    sha256 = hashlib.sha256(content).hexdigest()
    if isinstance(found, Inventory):
        return Base(found.site, 0, sha256), found.blobs
    judge_root(found)
    return Base(found.name, found.sequence, sha256), found.blobs


def _root(
    order: Order,
    gathered: Gathered,
    contents: tuple[Content, ...],
    built: Built,
    held: dict[str, Blob],
    base: Base | None,
    sequence: int,
    created: str,
) -> Bundle:
    made = dict(zip((one.source for one in contents), built.blobs, strict=True))
    files: list[BundleFile] = []
    blobs: dict[str, Blob] = {}
    for content in gathered.contents:
        blob = made.get(content.source) or held[str(content.sha256)]
        blobs[blob.sha256] = blob
        files += [BundleFile(path, blob.sha256) for path in content.paths]
    bundle = Bundle(
        MEDIA_FORMAT,
        order.name,
        sequence,
        created,
        base,
        gathered.models,
        gathered.images,
        tuple(sorted(files, key=lambda one: one.path)),
        tuple(blobs.values()),
        built.volumes,
    )
    judge(bundle)
    return bundle
