"""Reads a bundle's root and signature alone: what it says it holds, who signed it, and what differs from another."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dsdeploy.adapters.bundle import keys, media
from dsdeploy.core.bundle import names
from dsdeploy.core.bundle.values import Base, Bundle, BundleImage, BundleModel
from dsdeploy.stages.bundle.opening import judge_root, read_envelope, read_root


@dataclass(frozen=True, slots=True)
class Inspected:
    name: str
    sequence: int
    created: str
    root_sha256: str
    base: Base | None
    models: tuple[BundleModel, ...]
    images: tuple[BundleImage, ...]
    volumes: int
    files: int
    carried_bytes: int
    signers: tuple[keys.Signer, ...]


@dataclass(frozen=True, slots=True)
class Signers:
    """Who signed, as far as this site can tell; `root_sha256` is what a person compares by telephone."""

    root_sha256: str
    signers: tuple[keys.Signer, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Paths, by what their content is in the newer bundle; `same` is a count."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    same: int


def inspect(folders: tuple[Path, ...], trusted: tuple[keys.PublicKey, ...]) -> Inspected:
    """Raises BundleMissing, BundleUnsafe, SignatureInvalid."""
    head = media.read_head(folders)
    bundle = _bundle(head.root)
    signed = who_signed(folders, trusted)
    return Inspected(
        bundle.name,
        bundle.sequence,
        bundle.created,
        signed.root_sha256,
        bundle.base,
        bundle.models,
        bundle.images,
        len(bundle.volumes),
        len(bundle.files),
        bundle.carried_bytes,
        signed.signers,
    )


def who_signed(folders: tuple[Path, ...], trusted: tuple[keys.PublicKey, ...]) -> Signers:
    """A signature by a trusted key that is not one over this root counts as not valid.

    Raises BundleMissing, BundleUnsafe, SignatureInvalid.
    """
    head = media.read_head(folders)
    root_sha256 = hashlib.sha256(head.root).hexdigest()
    if head.signature is None:
        return Signers(root_sha256, ())
    envelope, digests = read_envelope(head.signature)
    over_this = digests.get(names.ROOT) == root_sha256
    found = keys.check(envelope, trusted)
    return Signers(root_sha256, tuple(keys.Signer(one.key_id, one.name, one.valid and over_this) for one in found))


def diff(old: Path, new: Path) -> Difference:
    """Raises BundleMissing, BundleUnsafe."""
    before, after = (
        {file.path: file.sha256 for file in _bundle(media.read_root_of(path)).files} for path in (old, new)
    )
    both = before.keys() & after.keys()
    changed = tuple(sorted(path for path in both if before[path] != after[path]))
    added, removed = sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys())
    return Difference(tuple(added), tuple(removed), changed, len(both) - len(changed))


def _bundle(root: bytes) -> Bundle:
    bundle = read_root(root)
    judge_root(bundle)
    return bundle
