"""How long work tells of itself: a protocol passed down, silent by default."""

from typing import Protocol

from dsdeploy.core.texts import Text


class Progress(Protocol):
    """One task at a time. `begin` says what starts; `advance` adds bytes to it; `end` closes it."""

    def begin(self, what: Text, total_bytes: int | None = None) -> None: ...

    def advance(self, done_bytes: int) -> None: ...

    def end(self) -> None: ...


class Silent:
    def begin(self, what: Text, total_bytes: int | None = None) -> None:
        pass

    def advance(self, done_bytes: int) -> None:
        pass

    def end(self) -> None:
        pass


SILENT = Silent()
