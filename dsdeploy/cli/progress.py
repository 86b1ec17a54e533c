"""Long work on stderr: bars with rate and time left on a terminal, lines in a pipe or a log."""

import sys
import time
from typing import Any

from dsdeploy.core.texts import Text, text


class Lines:
    """For a pipe or a log: what begins, and while it lasts now and then how far it is."""

    _EVERY_S = 15.0

    def __init__(self, language: str) -> None:
        self._language = language
        self._total: int | None = None

    def begin(self, what: Text, total_bytes: int | None = None) -> None:
        self._total, self._done = total_bytes, 0
        self._begun = self._told = time.monotonic()
        self._say(what)

    def advance(self, done_bytes: int) -> None:
        self._done += done_bytes
        now = time.monotonic()
        if self._total and now - self._told >= self._EVERY_S:
            self._told = now
            rate = self._done / (now - self._begun)
            left_s = int((self._total - self._done) / rate) if rate else 0
            left = f"{left_s // 3600}:{left_s // 60 % 60:02}:{left_s % 60:02}"
            percent = f"{self._done / self._total:.0%}"
            self._say(text("progress", percent=percent, rate=f"{rate / 1e6:,.0f}", left=left))

    def end(self) -> None:
        self._total = None

    def _say(self, what: Text) -> None:
        print(what.render(self._language), file=sys.stderr, flush=True)


class Bars:
    """One line at the foot of the terminal, gone when its task ends: what came of it is the command's answer."""

    _BARE = 72  # columns; a narrower terminal has no room for the bar beside the words and figures

    def __init__(self, language: str) -> None:
        self._language = language
        self._bar: Any = None
        self._task: Any = None

    def begin(self, what: Text, total_bytes: int | None = None) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            ProgressColumn,
            SpinnerColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.table import Column

        self.end()
        console = Console(stderr=True)
        words = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, ratio=1))
        columns: list[ProgressColumn] = [SpinnerColumn(), words]
        if total_bytes is not None:
            figures = (DownloadColumn, TransferSpeedColumn, TimeRemainingColumn)
            bar = [BarColumn(20)] if console.width >= self._BARE else []
            columns = [words, *bar, *(one(table_column=Column(no_wrap=True)) for one in figures)]
        self._bar = Progress(*columns, console=console, expand=True, transient=True)
        self._task = self._bar.add_task(what.render(self._language), total=total_bytes)
        self._bar.start()

    def advance(self, done_bytes: int) -> None:
        self._bar.advance(self._task, done_bytes)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
