"""Takes extents from volumes into one incoming folder; the journal knows what is there and on disk."""

import os
from collections import defaultdict
from pathlib import Path

from dsdeploy.adapters.bundle.flusher import Flusher
from dsdeploy.adapters.bundle.journal import Journal
from dsdeploy.adapters.bundle.site import sync_folder
from dsdeploy.adapters.bundle.stream import Copier
from dsdeploy.core.bundle.names import PARTIAL
from dsdeploy.core.bundle.values import Bundle, Extent, Volume
from dsdeploy.core.errors import BundleAltered
from dsdeploy.stages.bundle.reading import read_volume

# Small extents are made durable together up to here, before a larger one is begun and behind it: a kill costs one.
_COMMIT_BYTES = 64 * 2**20
_MOST_OPEN = 64


class Receiver:
    def __init__(self, folder: Path, bundle: Bundle, journal: Journal) -> None:
        self._folder = folder
        self._flusher = Flusher(journal)
        self._left: dict[str, set[int]] = defaultdict(set)
        for extent in (one for volume in bundle.volumes for one in volume.extents):
            self._left[extent.blob].add(extent.offset_bytes)
        for entry in journal.entries:
            self._left[entry["blob"]].discard(entry["offset_bytes"])
        self._opened: dict[str, int] = {}
        self._pending: list[Extent] = []
        self._pending_bytes = 0

    def wants(self, extent: Extent) -> bool:
        return extent.offset_bytes in self._left[extent.blob]

    def lacks(self, volume: Volume) -> bool:
        return any(self.wants(extent) for extent in volume.extents)

    def receive(self, path: Path, volume: Volume, copier: Copier) -> None:
        """Whatever of this volume is still wanted. Raises BundleAltered, OSError; what came before is kept."""
        read_volume(path, volume, copier, self.wants, self._place, self._accept)

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(self, *_: object) -> None:
        with self._flusher:
            self._close()

    def finish(self) -> None:
        """Gives each whole blob its name: its digest. Raises OSError."""
        self._close()
        for blob, left in self._left.items():
            partial = self._folder / (blob + PARTIAL)
            if not left and partial.exists():
                partial.rename(self._folder / blob)
        sync_folder(self._folder)

    def _place(self, extent: Extent) -> tuple[int, int]:
        if self._pending and self._pending_bytes + extent.size_bytes > _COMMIT_BYTES:
            self._commit()
        if extent.blob not in self._opened:
            if len(self._opened) >= _MOST_OPEN:
                self._close()
            partial = self._folder / (extent.blob + PARTIAL)
            self._opened[extent.blob] = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        return self._opened[extent.blob], extent.offset_bytes

    def _accept(self, extent: Extent) -> None:
        self._pending.append(extent)
        self._pending_bytes += extent.size_bytes
        if self._pending_bytes >= _COMMIT_BYTES:
            self._commit()

    def _commit(self) -> None:
        facts = [{"blob": one.blob, "offset_bytes": one.offset_bytes} for one in self._pending]
        self._flusher.flush(self._opened.values(), facts)
        for one in self._pending:
            self._left[one.blob].discard(one.offset_bytes)
        self._pending, self._pending_bytes = [], 0

    def _close(self) -> None:
        try:
            self._commit()
        finally:
            for file in self._opened.values():
                os.close(file)
            self._opened = {}


def receive_all(
    receiver: Receiver, bundle: Bundle, volumes: dict[str, Path], copier: Copier
) -> tuple[list[BundleAltered], tuple[str, ...]]:
    """The altered volumes, and the names of those that are still needed and not here. Raises OSError."""
    bad: list[BundleAltered] = []
    for volume in bundle.volumes:
        if volume.name in volumes and receiver.lacks(volume):
            try:
                receiver.receive(volumes[volume.name], volume, copier)
            except BundleAltered as error:
                bad.append(error)
    missing = tuple(one.name for one in bundle.volumes if one.name not in volumes and receiver.lacks(one))
    return bad, missing
