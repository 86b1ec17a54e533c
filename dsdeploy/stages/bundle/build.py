"""Writes volumes: every byte of the payload is read once, hashed and written in that one read.

Headers come last, when a content's digest is known. What the journal says is on disk is not written again.
"""

import errno
import hashlib
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsdeploy.adapters.bundle.flusher import Flusher
from dsdeploy.adapters.bundle.journal import Journal
from dsdeploy.adapters.bundle.staged import begin, give_back
from dsdeploy.adapters.bundle.stream import Copier, Digest, ReadFailed
from dsdeploy.adapters.files import write_at
from dsdeploy.core.bundle.names import PARTIAL, volume_name
from dsdeploy.core.bundle.ustar import BLOCK_BYTES, END, header, padding_bytes
from dsdeploy.core.bundle.values import Blob, Extent, Volume
from dsdeploy.core.bundle.volumes import PIECE_BYTES, Slot
from dsdeploy.core.errors import BundleNoRoom, BundleNotWritable, PayloadAltered
from dsdeploy.core.texts import Text, text
from dsdeploy.stages.bundle.gather import Content

# Facts are made durable together up to here: a kill costs at most this much of small contents.
_COMMIT_BYTES = 64 * 2**20
# A large extent goes on after the last piece that is durable: a kill costs at most two.
_PIECE_BYTES = PIECE_BYTES
_MOST_OPEN = 8


@dataclass(frozen=True, slots=True)
class Built:
    """One blob for each content, in order."""

    blobs: tuple[Blob, ...]
    volumes: tuple[Volume, ...]


class Builder:
    """`staging` is the folder of archives that were saved for this build alone: they go as they are carried."""

    def __init__(
        self, out: Path, name: str, contents: tuple[Content, ...], slots: tuple[Slot, ...], journal: Journal,
        *, sm3: bool, staging: Path | None,
    ) -> None:  # fmt: skip
        self._contents, self._staging = contents, staging
        self._flusher = Flusher(journal)
        self._sm3 = sm3
        count = slots[-1].volume + 1
        self._paths = [out / volume_name(name, number, count) for number in range(1, count + 1)]
        self._of_content: dict[int, list[tuple[int, Slot]]] = defaultdict(list)
        self._of_volume: dict[int, list[tuple[int, Slot]]] = defaultdict(list)
        for number, slot in enumerate(slots):
            self._of_content[slot.content].append((number, slot))
            self._of_volume[slot.volume].append((number, slot))
        self._opened: dict[int, int] = {}
        self._begun_bytes: dict[int, int] = {}
        self._extents: dict[int, str] = {}
        self._blobs: dict[int, Blob] = {}
        for entry in journal.entries[1:]:
            if "begun" in entry:
                self._begun_bytes[entry["begun"]] = entry["bytes"]
            elif "extent" in entry:
                self._extents[entry["extent"]] = entry["sha256"]
            else:
                self._blobs[entry["blob"]] = Blob(entry["sha256"], entry["size_bytes"], entry["sm3"])
        self._seen = {blob.sha256: index for index, blob in self._blobs.items()}
        self._pending: list[dict[str, Any]] = []
        self._pending_bytes = 0

    def build(self, copier: Copier) -> Built:
        """Raises PayloadAltered, BundleNoRoom, BundleNotWritable; called again, it goes on."""
        try:
            with self._flusher:
                for index, content in enumerate(self._contents):
                    self._write(index, content, copier)
                self._close_volumes()
        except OSError as error:
            raise write_failed(self._paths[0].parent, error) from error
        finally:
            self._close_all()
        return self._built()

    def _write(self, index: int, content: Content, copier: Copier) -> None:
        staged = content.source.parent == self._staging
        if index in self._blobs:
            if staged:
                content.source.unlink(missing_ok=True)
            return
        if staged:
            self._begin(content)
        places = self._of_content[index]
        whole: Digest = hashlib.sha256()
        also: tuple[Digest, ...] = (hashlib.new("sm3"),) if self._sm3 else ()
        source = _open_source(content, staged)
        try:
            for number, slot in places:
                written = number in self._extents
                # Where the first extent ends, the whole's digest is its own: only later ones are hashed twice.
                own: Digest | None = None if written or not slot.offset_bytes else hashlib.sha256()
                digests = (whole, *also) if own is None else (whole, *also, own)
                done = slot.size_bytes if written else self._begun_bytes.get(number, 0)
                if staged and done:  # the archive has a hole there
                    copier.copy(self._volume(slot.volume), slot.at_bytes + BLOCK_BYTES, done, digests, None)
                else:
                    copier.copy(source, slot.offset_bytes, done, digests, None)
                if not written:
                    self._write_rest(content, number, slot, done, source, digests, copier)
                    self._extents[number] = (own or whole).hexdigest()
                    self._note({"extent": number, "sha256": self._extents[number]}, slot.size_bytes % _PIECE_BYTES)
                    self._give_back(content, slot.offset_bytes + slot.size_bytes)
            if not _is_same(source, content, staged):
                raise _altered(content, text("reason-changed"))
        except ReadFailed as error:
            raise _altered(content, error.reason) from error
        finally:
            os.close(source)
        self._finish(index, content, places, whole.hexdigest(), also[0].hexdigest() if also else None)

    def _write_rest(
        self, content: Content, number: int, slot: Slot, done: int, source: int, digests: tuple[Digest, ...],
        copier: Copier,
    ) -> None:  # fmt: skip
        """What of an extent is not on disk yet, and its padding."""
        file, at = self._volume(slot.volume), slot.at_bytes + BLOCK_BYTES
        while done < slot.size_bytes:
            size = min(_PIECE_BYTES, slot.size_bytes - done)
            copier.copy(source, slot.offset_bytes + done, size, digests, (file, at + done))
            done += size
            if size == _PIECE_BYTES:
                self._note({"begun": number, "bytes": done}, size)
                self._give_back(content, slot.offset_bytes + done)
        write_at(file, bytes(padding_bytes(slot.size_bytes)), at + slot.size_bytes)

    def _finish(
        self, index: int, content: Content, places: list[tuple[int, Slot]], sha256: str, sm3: str | None
    ) -> None:
        if content.sha256 not in (None, sha256):
            raise _altered(content, text("reason-other-digest", found=sha256, wanted=content.sha256))
        twin = self._seen.setdefault(sha256, index)
        if twin != index:
            message = text("bundle-same-content", first=self._contents[twin].source, second=content.source)
            raise PayloadAltered(message, hint=text("bundle-same-content-hint"))
        for _, slot in places:
            write_at(self._volume(slot.volume), header(sha256, slot.offset_bytes, slot.size_bytes), slot.at_bytes)
        self._blobs[index] = Blob(sha256, content.size_bytes, sm3)
        self._note({"blob": index, "sha256": sha256, "size_bytes": content.size_bytes, "sm3": sm3}, 0)
        if content.source.parent == self._staging:
            self._commit()
            self._flusher.wait()
            content.source.unlink()

    def _begin(self, content: Content) -> None:
        try:
            begin(content.source, content.size_bytes, content.stamp, content.sha256)
        except (OSError, ValueError) as error:
            raise _altered(content, text("unreadable", path=content.source, reason=error)) from error

    def _give_back(self, content: Content, up_to_bytes: int) -> None:
        """Of what lies in the staging, once it is durable in the bundle."""
        if content.source.parent == self._staging:
            self._commit()
            self._flusher.wait()
            give_back(content.source, up_to_bytes)

    def _note(self, fact: dict[str, Any], size_bytes: int) -> None:
        self._pending.append(fact)
        self._pending_bytes += size_bytes
        if self._pending_bytes >= _COMMIT_BYTES:
            self._commit()

    def _commit(self) -> None:
        self._flusher.commit(self._opened.values(), self._pending)
        self._pending, self._pending_bytes = [], 0

    def _close_all(self) -> None:
        for number in tuple(self._opened):
            os.close(self._opened.pop(number))

    def _volume(self, number: int) -> int:
        if number not in self._opened:
            if len(self._opened) >= _MOST_OPEN:
                self._commit()
                self._flusher.wait()
                self._close_all()
            path = self._paths[number]
            partial = path.with_name(path.name + PARTIAL)
            self._opened[number] = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        return self._opened[number]

    def _close_volumes(self) -> None:
        self._commit()
        self._flusher.wait()
        for number, path in enumerate(self._paths):
            if path.exists():
                continue
            last = self._of_volume[number][-1][1]
            end = last.at_bytes + BLOCK_BYTES + last.size_bytes + padding_bytes(last.size_bytes)
            file = self._volume(number)
            write_at(file, END, end)
            os.ftruncate(file, end + len(END))
            os.fsync(file)
            os.close(self._opened.pop(number))
            path.with_name(path.name + PARTIAL).rename(path)

    def _built(self) -> Built:
        blobs = tuple(self._blobs[index] for index in range(len(self._contents)))
        volumes = []
        for number, path in enumerate(self._paths):
            extents = tuple(
                Extent(blobs[slot.content].sha256, slot.offset_bytes, slot.size_bytes, self._extents[index])
                for index, slot in self._of_volume[number]
            )
            volumes.append(Volume(path.name, path.stat().st_size, extents))
        return Built(blobs, tuple(volumes))


def sm3_of(content: Content, copier: Copier) -> str:
    """Of a content that is not carried, read for this alone, its SHA-256 proven by the way. Raises PayloadAltered."""
    source = _open_source(content, staged=False)
    sha256, sm3 = hashlib.sha256(), hashlib.new("sm3")
    try:
        copier.copy(source, 0, content.size_bytes, (sha256, sm3), None)
    except ReadFailed as error:
        raise _altered(content, error.reason) from error
    finally:
        os.close(source)
    if sha256.hexdigest() != content.sha256:
        raise _altered(content, text("reason-other-digest", found=sha256.hexdigest(), wanted=content.sha256))
    return sm3.hexdigest()


def write_failed(folder: Path, error: OSError) -> BundleNoRoom | BundleNotWritable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return BundleNoRoom(text("bundle-filled", path=folder), hint=text("bundle-filled-hint"))
    message = text("not-writable", path=folder, reason=error)
    return BundleNotWritable(message, hint=text("not-writable-hint"))


def _open_source(content: Content, staged: bool) -> int:
    try:
        source = os.open(content.source, os.O_RDONLY)
    except OSError as error:
        raise _altered(content, error) from error
    if not _is_same(source, content, staged):
        os.close(source)
        raise _altered(content, text("reason-changed"))
    return source


def _is_same(file: int, content: Content, staged: bool) -> bool:
    """To give back what is carried changes a file's time."""
    stat = os.fstat(file)
    stamp = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    return stamp[:2] == content.stamp[:2] if staged else stamp == content.stamp


def _altered(content: Content, reason: Text | OSError) -> PayloadAltered:
    return PayloadAltered(
        text("bundle-payload-altered", path=content.source, reason=reason), hint=text("bundle-payload-hint")
    )
