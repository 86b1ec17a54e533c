"""Long work on stderr: bars with rate and time left on a terminal, plain lines in a pipe or a log."""

import sys
from typing import Any

from dsdeploy.core.texts import Text


class Lines:
    def __init__(self, language: str) -> None:
        self._language = language

    def begin(self, what: Text, total_bytes: int | None = None) -> None:
        print(what.render(self._language), file=sys.stderr, flush=True)

    def advance(self, done_bytes: int) -> None:
        pass

    def end(self) -> None:
        pass


class Bars:
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
            SpinnerColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self.end()
        console = Console(stderr=True)
        words = TextColumn("{task.description}", markup=False)
        if total_bytes is None:
            self._bar = Progress(SpinnerColumn(), words, console=console)
        else:
            columns = (words, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=console)
        self._task = self._bar.add_task(what.render(self._language), total=total_bytes)
        self._bar.start()

    def advance(self, done_bytes: int) -> None:
        self._bar.advance(self._task, done_bytes)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
