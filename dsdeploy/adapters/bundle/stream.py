"""Reads bytes once: each chunk is hashed on other threads while this one writes it."""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol

from dsdeploy.adapters.files import write_at
from dsdeploy.core.texts import Text, text

_CHUNK_BYTES = 2 * 2**20
_CHUNKS = 4
# The kernel starts to write late, and a flush at the end would find the disk idle before and the processors after.
_WRITE_BACK_BYTES = 128 * 2**20
# RWF_DONTCACHE of Linux 6.14: what a read brings into memory leaves it again, what was there before stays. Kept, bytes
# that nobody reads again would push out what others use, and the kernel would look for a free page for each.
_PASSING_BY = 0x80 if hasattr(os, "RWF_NOWAIT") else 0


class Digest(Protocol):
    def update(self, data: memoryview, /) -> None: ...

    def hexdigest(self) -> str: ...


class ReadFailed(Exception):
    """The source gave an error or ended early; an OSError outside of it is the target's."""

    def __init__(self, reason: OSError | Text) -> None:
        super().__init__(reason)
        self.reason = reason


class Copier:
    """Holds a fixed ring of chunks, whatever the size of what passes through. One thread a digest.

    `keep_written` leaves in memory what was written, for whoever reads it next.
    """

    def __init__(self, advance: Callable[[int], None], *, keep_written: bool) -> None:
        self._advance = advance
        self._keep_written = keep_written
        self._reading = _PASSING_BY
        self._ring = [memoryview(bytearray(_CHUNK_BYTES)) for _ in range(_CHUNKS)]
        self._lanes: list[ThreadPoolExecutor] = []
        self._writer = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None
        self._unwritten = 0

    def __enter__(self) -> "Copier":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for lane in (*self._lanes, self._writer):
            lane.shutdown()

    def copy(
        self, source: int, at_bytes: int, size_bytes: int, digests: tuple[Digest, ...], target: tuple[int, int] | None
    ) -> None:
        """Feeds `size_bytes` from `at_bytes` on to `digests` and to `target`, a descriptor and where to write in it.

        Raises ReadFailed, OSError.
        """
        while len(self._lanes) < len(digests):
            self._lanes.append(ThreadPoolExecutor(1))
        busy: list[list[Future[None]]] = [[] for _ in self._ring]
        done, turn = 0, 0
        try:
            while done < size_bytes:
                for future in busy[turn]:
                    future.result()
                piece = self._read(source, at_bytes + done, self._ring[turn][: size_bytes - done])
                if size_bytes <= _CHUNK_BYTES:
                    for digest in digests:
                        digest.update(piece)
                else:
                    busy[turn] = [
                        lane.submit(digest.update, piece) for lane, digest in zip(self._lanes, digests, strict=False)
                    ]
                if target is not None:
                    write_at(target[0], piece, target[1] + done)
                    self._write_back(target[0], len(piece))
                done += len(piece)
                turn = (turn + 1) % _CHUNKS
                self._advance(len(piece))
        finally:
            for futures in busy:
                for future in futures:
                    future.result()
            if self._writing is not None:
                self._writing.exception()  # whoever makes the file durable meets the error again

    def _write_back(self, target: int, size_bytes: int) -> None:
        self._unwritten += size_bytes
        if self._unwritten >= _WRITE_BACK_BYTES and (self._writing is None or self._writing.done()):
            self._unwritten = 0
            self._writing = self._writer.submit(os.fdatasync if self._keep_written else _write_out, target)

    def _read(self, source: int, at_bytes: int, into: memoryview) -> memoryview:
        try:
            count = os.preadv(source, [into], at_bytes, self._reading)
        except OSError as error:
            if self._reading:  # the kernel or the file system may not know it; a true error comes again
                self._reading = 0
                return self._read(source, at_bytes, into)
            raise ReadFailed(error) from error
        if not count:
            raise ReadFailed(text("reason-ends", byte=f"{at_bytes:,}"))
        return into[:count]


def _write_out(target: int) -> None:
    """To the disk and out of memory. Raises OSError."""
    os.fdatasync(target)
    os.posix_fadvise(target, 0, 0, os.POSIX_FADV_DONTNEED)


def read_at(source: int, size_bytes: int, at_bytes: int) -> bytes:
    """A few bytes; fewer at the end of the file. Raises ReadFailed."""
    try:
        return os.pread(source, size_bytes, at_bytes)
    except OSError as error:
        raise ReadFailed(error) from error
