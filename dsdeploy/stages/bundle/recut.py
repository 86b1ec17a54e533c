"""Cuts a built bundle into other volumes: one read, every old extent verified while the new ones are written.

With `move` an old volume goes as soon as all of it is on disk in the new ones: no second copy of the whole is needed.
Killed, it goes on: what the journal says is written is not read again.
"""

import hashlib
import os
import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from dsdeploy.adapters.bundle import audit
from dsdeploy.adapters.bundle.flusher import Flusher
from dsdeploy.adapters.bundle.journal import Journal
from dsdeploy.adapters.bundle.keys.base import SigningKey
from dsdeploy.adapters.bundle.media import open_regular
from dsdeploy.adapters.bundle.stream import Copier, Digest, ReadFailed
from dsdeploy.adapters.files import write_at
from dsdeploy.core.bundle import names
from dsdeploy.core.bundle.ustar import BLOCK_BYTES, END, header, member_bytes, padding_bytes
from dsdeploy.core.bundle.values import Blob, Bundle, Extent, Volume
from dsdeploy.core.bundle.volumes import Slot, cut
from dsdeploy.core.errors import BundleExists, BundleNoRoom
from dsdeploy.core.progress import Progress
from dsdeploy.core.sizes import size_words
from dsdeploy.core.texts import text
from dsdeploy.stages.bundle.build import write_failed
from dsdeploy.stages.bundle.opening import Opened
from dsdeploy.stages.bundle.reading import altered, extent_differs
from dsdeploy.stages.bundle.seal import seal
from dsdeploy.stages.bundle.verify import raise_missing


@dataclass(frozen=True, slots=True)
class Recut:
    name: str
    sequence: int
    root_sha256: str
    folder: str
    volumes: int
    carried_bytes: int
    signers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Old:
    """An extent as it lies: `at_bytes` is where its data starts in its volume."""

    volume: int
    extent: Extent
    at_bytes: int


def recut(
    opened: Opened,
    out: Path,
    capacity_bytes: int | None,
    signing: tuple[SigningKey, ...],
    progress: Progress,
    *,
    move: bool,
) -> Recut:
    """Raises BundleAltered, BundleExists, BundleNoRoom, BundleNotWritable, BundleBusy, VolumeMissing."""
    bundle = opened.bundle
    try:
        out.mkdir(parents=True, exist_ok=True)
        if (out / names.ROOT).exists() and not (out / names.BUILD_JOURNAL).exists():
            raise BundleExists(text("bundle-exists", path=out), hint=text("bundle-exists-hint"))
        with (
            Journal(out / names.BUILD_JOURNAL) as journal,
            Copier(progress.advance, keep_written=False) as copier,
            Flusher(journal) as flusher,
        ):
            work = _Recutter(opened, out, capacity_bytes, journal, flusher, move)
            progress.begin(text("bundle-recutting", name=bundle.name), bundle.carried_bytes)
            try:
                volumes = work.run(copier)
            finally:
                work.close()
            progress.end()
            made = Bundle(
                **{name: getattr(bundle, name) for name in Bundle.__slots__ if name != "volumes"}, volumes=volumes
            )
            root_sha256, signers = seal(out, made, signing)
            journal.path.unlink()
    except OSError as error:
        raise write_failed(out, error) from error
    done = Recut(bundle.name, bundle.sequence, root_sha256, str(out), len(volumes), bundle.carried_bytes, signers)
    facts = {"from": opened.root_sha256, "to": root_sha256, "volumes": len(volumes), "unsigned": opened.unsigned}
    audit.record(out.with_name(out.name + "." + names.AUDIT_LOG), "bundle-recut", facts)
    return done


class _Recutter:
    def __init__(
        self, opened: Opened, out: Path, capacity_bytes: int | None, journal: Journal, flusher: Flusher, move: bool
    ) -> None:
        self._opened, self._out, self._flusher, self._move = opened, out, flusher, move
        bundle = opened.bundle
        carried = bundle.carried
        self._blobs = tuple(blob for blob in bundle.blobs if blob.sha256 in carried)
        self._slots = cut(tuple(blob.size_bytes for blob in self._blobs), capacity_bytes)
        self._count = self._slots[-1].volume + 1 if self._slots else 0
        self._old = _lay_out(bundle)
        self._needed = self._uses()
        self._begin(journal, capacity_bytes)
        self._done = {entry["extent"]: entry["sha256"] for entry in journal.entries[1:] if "extent" in entry}
        self._begun_bytes = {entry["begun"]: entry["bytes"] for entry in journal.entries[1:] if "begun" in entry}
        self._new: dict[int, int] = {}
        self._sources: dict[int, int] = {}

    def run(self, copier: Copier) -> tuple[Volume, ...]:
        of_blob: dict[int, list[int]] = defaultdict(list)
        for number, slot in enumerate(self._slots):
            of_blob[slot.content].append(number)
        for index, blob in enumerate(self._blobs):
            self._write(blob, of_blob[index], copier)
        return self._close_volumes()

    def close(self) -> None:
        for file in (*self._new.values(), *self._sources.values()):
            os.close(file)

    def _begin(self, journal: Journal, capacity_bytes: int | None) -> None:
        wanted = {"root": self._opened.root_sha256, "capacity": capacity_bytes}
        if not journal.entries or journal.entries[0] != wanted:
            if any(one != journal.path for one in self._out.iterdir()):
                raise BundleExists(text("bundle-not-empty", path=self._out), hint=text("bundle-exists-hint"))
            sizes = [one.size_bytes for one in self._opened.bundle.volumes]
            # An old volume goes when the last part made from it is whole: one volume and one part lie here twice.
            largest = max(sizes, default=0) + max((one.size_bytes for one in self._slots), default=0)
            needed = largest if self._move else sum(sizes)
            free = shutil.disk_usage(self._out).free
            if needed > free:
                shown = {"payload": size_words(needed), "around": "0 B", "there": "0 B", "free": size_words(free)}
                raise BundleNoRoom(text("bundle-no-room", path=self._out, **shown), hint=text("bundle-no-room-hint"))
            missing = tuple(one.name for one in self._opened.bundle.volumes if one.name not in self._opened.volumes)
            raise_missing(missing)
            journal.clear()
            journal.append([wanted])
            journal.entries = [wanted]

    def _uses(self) -> list[set[int]]:
        """For each old volume the new extents that are made from it."""
        of_blob = {blob.sha256: index for index, blob in enumerate(self._blobs)}
        needed: list[set[int]] = []
        for volume in self._opened.bundle.volumes:
            spans = [(of_blob[e.blob], e.offset_bytes, e.offset_bytes + e.size_bytes) for e in volume.extents]
            needed.append(
                {
                    number
                    for number, slot in enumerate(self._slots)
                    if any(slot.content == content and _meets(slot, begin, end) for content, begin, end in spans)
                }
            )
        return needed

    def _write(self, blob: Blob, numbers: list[int], copier: Copier) -> None:
        """All of one blob: old extents in order, each cut where a new one begins."""
        left: dict[int, Digest] = {number: hashlib.sha256() for number in numbers if number not in self._done}
        for old in self._old[blob.sha256]:
            begin, end = old.extent.offset_bytes, old.extent.offset_bytes + old.extent.size_bytes
            touched = [number for number in left if _meets(self._slots[number], begin, end)]
            if touched:
                self._copy(blob, old, touched, left, copier)
        if not blob.size_bytes and left:
            self._finish(numbers[0], left)

    def _copy(self, blob: Blob, old: _Old, touched: list[int], left: dict[int, Digest], copier: Copier) -> None:
        source = self._source(old.volume)
        volume = self._opened.bundle.volumes[old.volume]
        begin, end = old.extent.offset_bytes, old.extent.offset_bytes + old.extent.size_bytes
        whole: Digest = hashlib.sha256()
        at = begin
        try:
            while at < end:
                number = next((one for one in touched if _holds(self._slots[one], at)), None)
                edges = (self._slots[one].offset_bytes for one in touched if self._slots[one].offset_bytes > at)
                slot = None if number is None else self._slots[number]
                stop = min(end, slot.offset_bytes + slot.size_bytes if slot else min(edges, default=end))
                place = old.at_bytes + at - begin
                if slot is None or number is None:
                    copier.copy(source, place, stop - at, (whole,), None)
                elif at < (written := slot.offset_bytes + self._begun_bytes.get(number, 0)):
                    stop = min(stop, written)
                    copier.copy(source, place, stop - at, (whole, left[number]), None)
                else:
                    target = self._volume(slot.volume), slot.at_bytes + BLOCK_BYTES + at - slot.offset_bytes
                    copier.copy(source, place, stop - at, (whole, left[number]), target)
                at = stop
        except ReadFailed as error:
            raise altered(volume, error.reason) from error
        if whole.hexdigest() != old.extent.sha256:
            raise altered(volume, extent_differs(blob.sha256, begin))
        for number in touched:
            slot = self._slots[number]
            if slot.offset_bytes + slot.size_bytes <= end:
                self._finish(number, left)
            elif (proven := end - slot.offset_bytes) > self._begun_bytes.get(number, 0):
                self._begun_bytes[number] = proven
                self._flusher.flush((self._volume(slot.volume),), [{"begun": number, "bytes": proven}])

    def _finish(self, number: int, left: dict[int, Digest]) -> None:
        """A new extent is whole and what it came from is verified."""
        slot, blob = self._slots[number], self._blobs[self._slots[number].content]
        file = self._volume(slot.volume)
        write_at(file, header(blob.sha256, slot.offset_bytes, slot.size_bytes), slot.at_bytes)
        write_at(file, bytes(padding_bytes(slot.size_bytes)), slot.at_bytes + BLOCK_BYTES + slot.size_bytes)
        self._done[number] = left.pop(number).hexdigest()
        self._flusher.flush((file,), [{"extent": number, "sha256": self._done[number]}])
        if self._move:
            self._drop_sources()

    def _drop_sources(self) -> None:
        """Old volumes of which nothing is needed any more."""
        for number, needed in enumerate(self._needed):
            path = self._opened.volumes.get(self._opened.bundle.volumes[number].name)
            if path is not None and needed <= self._done.keys() and path.exists():
                if number in self._sources:
                    os.close(self._sources.pop(number))
                path.unlink()

    def _source(self, number: int) -> int:
        if number not in self._sources:
            volume = self._opened.bundle.volumes[number]
            if volume.name not in self._opened.volumes:
                raise_missing((volume.name,))
            self._sources[number] = open_regular(self._opened.volumes[volume.name])
        return self._sources[number]

    def _volume(self, number: int) -> int:
        if number not in self._new:
            path = self._path(number)
            path = path if path.exists() else path.with_name(path.name + names.PARTIAL)
            self._new[number] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        return self._new[number]

    def _path(self, number: int) -> Path:
        return self._out / names.volume_name(self._opened.bundle.name, number + 1, self._count)

    def _close_volumes(self) -> tuple[Volume, ...]:
        made: list[Volume] = []
        for number in range(self._count):
            ours = [(index, slot) for index, slot in enumerate(self._slots) if slot.volume == number]
            extents = tuple(
                Extent(self._blobs[slot.content].sha256, slot.offset_bytes, slot.size_bytes, self._done[index])
                for index, slot in ours
            )
            end = ours[-1][1].at_bytes + member_bytes(ours[-1][1].size_bytes)
            file, path = self._volume(number), self._path(number)
            write_at(file, END, end)
            os.ftruncate(file, end + len(END))
            os.fsync(file)
            if not path.exists():
                path.with_name(path.name + names.PARTIAL).rename(path)
            made.append(Volume(path.name, end + len(END), extents))
        return tuple(made)


def _lay_out(bundle: Bundle) -> dict[str, list[_Old]]:
    """Blob → its extents as they lie, in order."""
    found: dict[str, list[_Old]] = defaultdict(list)
    for number, volume in enumerate(bundle.volumes):
        at = 0
        for extent in volume.extents:
            found[extent.blob].append(_Old(number, extent, at + BLOCK_BYTES))
            at += member_bytes(extent.size_bytes)
    for extents in found.values():
        extents.sort(key=lambda one: one.extent.offset_bytes)
    return found


def _meets(slot: Slot, begin: int, end: int) -> bool:
    return slot.offset_bytes < end and begin < slot.offset_bytes + slot.size_bytes


def _holds(slot: Slot, at: int) -> bool:
    return slot.offset_bytes <= at < slot.offset_bytes + slot.size_bytes
