"""Reads volumes: every byte is compared with what the signed root says, extent by extent, in any order."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from dsdeploy.adapters.bundle.media import open_regular
from dsdeploy.adapters.bundle.stream import Copier, Digest, ReadFailed, read_at
from dsdeploy.core.bundle.ustar import BLOCK_BYTES, END, header, member_bytes
from dsdeploy.core.bundle.values import Extent, Volume
from dsdeploy.core.errors import BundleAltered
from dsdeploy.core.texts import Text, text

Accept = Callable[[Extent], tuple[int, int] | None]


def read_volume(
    path: Path,
    volume: Volume,
    copier: Copier,
    wanted: Callable[[Extent], bool],
    target: Accept,
    accepted: Callable[[Extent], None],
) -> None:
    """Streams each `wanted` extent into `target`, then says `accepted` if its digest is right.

    Raises BundleAltered, which names the volume and the extent, and OSError of the target.
    """
    file = open_regular(path)
    try:
        if (size_bytes := os.fstat(file).st_size) != volume.size_bytes:
            sizes = {"found": f"{size_bytes:,}", "wanted": f"{volume.size_bytes:,}"}
            raise altered(volume, text("altered-size", **sizes))
        at = 0
        for extent in volume.extents:
            if wanted(extent):
                if read_at(file, BLOCK_BYTES, at) != header(extent.blob, extent.offset_bytes, extent.size_bytes):
                    raise altered(volume, text("altered-header", blob=extent.blob[:16]))
                digest: Digest = hashlib.sha256()
                copier.copy(file, at + BLOCK_BYTES, extent.size_bytes, (digest,), target(extent))
                end = at + BLOCK_BYTES + extent.size_bytes
                rest = at + member_bytes(extent.size_bytes) - end
                if digest.hexdigest() != extent.sha256 or read_at(file, rest, end) != bytes(rest):
                    raise altered(volume, extent_differs(extent.blob, extent.offset_bytes))
                accepted(extent)
            at += member_bytes(extent.size_bytes)
        if read_at(file, len(END) + 1, at) != END:
            raise altered(volume, text("altered-end"))
    except ReadFailed as error:
        raise altered(volume, error.reason) from error
    finally:
        os.close(file)


def extent_differs(blob: str, offset_bytes: int) -> Text:
    return text("altered-extent", blob=blob[:16], offset=f"{offset_bytes:,}")


def altered(volume: Volume, reason: Text | OSError) -> BundleAltered:
    return BundleAltered(text("bundle-altered", volume=volume.name, reason=reason), hint=text("bundle-altered-hint"))
