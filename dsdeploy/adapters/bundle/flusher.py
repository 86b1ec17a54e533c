"""Durability behind the writer's back: the disk works while the next bytes are read and hashed."""

import os
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

from dsdeploy.adapters.bundle.journal import Journal


class Flusher:
    """One flush at a time. A fact goes into the journal once the bytes that it speaks of are on disk."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lane = ThreadPoolExecutor(1)
        self._flush: Future[None] | None = None

    def __enter__(self) -> "Flusher":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._lane.shutdown()

    def commit(self, files: Iterable[int], facts: list[dict[str, Any]]) -> None:
        """Waits for the flush before, then begins this one. The files must stay open until `wait`. Raises OSError."""
        self.wait()
        self._flush = self._lane.submit(self._make_durable, tuple(files), facts)

    def flush(self, files: Iterable[int], facts: list[dict[str, Any]]) -> None:
        """As `commit`, but returns when all is on disk: nothing that is read meanwhile is lost beside. Raises OSError.

        Little is left to wait for, since the copier has long handed most of it to the disk.
        """
        self.commit(files, facts)
        self.wait()

    def wait(self) -> None:
        """Until everything committed is on disk. Raises OSError."""
        flush, self._flush = self._flush, None
        if flush is not None:
            flush.result()

    def _make_durable(self, files: tuple[int, ...], facts: list[dict[str, Any]]) -> None:
        for file in files:
            os.fsync(file)
        self._journal.append(facts)
