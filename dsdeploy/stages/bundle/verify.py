"""Reads a whole bundle and compares it with its signed root; nothing is written."""

from dataclasses import dataclass
from pathlib import Path

from dsdeploy.adapters.bundle import keys
from dsdeploy.adapters.bundle.stream import Copier
from dsdeploy.core.errors import BundleAltered, VolumeMissing
from dsdeploy.core.progress import Progress
from dsdeploy.core.texts import text
from dsdeploy.stages.bundle.opening import open_bundle
from dsdeploy.stages.bundle.reading import read_volume


@dataclass(frozen=True, slots=True)
class Verified:
    name: str
    sequence: int
    root_sha256: str
    signers: tuple[keys.Signer, ...]
    unsigned: bool
    volumes: int
    carried_bytes: int


def verify(
    folders: tuple[Path, ...], trusted: tuple[keys.PublicKey, ...], allow_unsigned: bool, progress: Progress
) -> Verified:
    """Raises a BundleError: BundleAltered names every altered volume, VolumeMissing every absent one."""
    opened = open_bundle(folders, trusted, allow_unsigned)
    bundle = opened.bundle
    progress.begin(text("bundle-verifying", name=bundle.name), bundle.carried_bytes)
    bad: list[BundleAltered] = []
    with Copier(progress.advance, keep_written=False) as copier:
        for volume in bundle.volumes:
            if volume.name in opened.volumes:
                try:
                    read_volume(
                        opened.volumes[volume.name],
                        volume,
                        copier,
                        lambda extent: True,
                        lambda extent: None,
                        lambda extent: None,
                    )
                except BundleAltered as error:
                    bad.append(error)
    progress.end()
    raise_first(bad)
    raise_missing(tuple(one.name for one in bundle.volumes if one.name not in opened.volumes))
    return Verified(
        bundle.name,
        bundle.sequence,
        opened.root_sha256,
        opened.signers,
        opened.unsigned,
        len(bundle.volumes),
        bundle.carried_bytes,
    )


def raise_first(bad: list[BundleAltered]) -> None:
    """One error for all altered volumes. Raises BundleAltered."""
    if len(bad) == 1:
        raise bad[0]
    if bad:
        which = ", ".join(str(error.message.values["volume"]) for error in bad)
        raise BundleAltered(text("bundle-altered-many", volumes=which), hint=text("bundle-altered-hint"))


def raise_missing(missing: tuple[str, ...]) -> None:
    """Raises VolumeMissing."""
    if missing:
        shown = ", ".join(missing[:10]) + (", …" if len(missing) > 10 else "")
        raise VolumeMissing(text("volume-missing", count=len(missing), volumes=shown), hint=text("volume-missing-hint"))
