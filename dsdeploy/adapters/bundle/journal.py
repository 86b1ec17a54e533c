"""What is done and on disk, a JSON line a fact; a line torn by a kill is as if it had never been written."""

import fcntl
import json
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from dsdeploy.core.errors import BundleBusy
from dsdeploy.core.texts import text


class Journal:
    """Held by one process at a time; the lock falls with it. Raises BundleBusy, OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise BundleBusy(text("bundle-busy", path=path.parent), hint=text("bundle-busy-hint")) from error
        self.entries = self._read()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._file)

    def append(self, entries: Iterable[dict[str, Any]]) -> None:
        """Returns when the facts are on disk: what they say must be there before."""
        os.write(self._file, "".join(json.dumps(entry) + "\n" for entry in entries).encode())
        os.fsync(self._file)

    def clear(self) -> None:
        os.ftruncate(self._file, 0)
        self.entries = []

    def _read(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = []
        whole_bytes = 0
        for line in self.path.read_bytes().splitlines(keepends=True):
            try:
                entry = json.loads(line)
            except ValueError:
                break
            if not line.endswith(b"\n") or not isinstance(entry, dict):
                break
            entries.append(entry)
            whole_bytes += len(line)
        os.ftruncate(self._file, whole_bytes)
        return entries


def first_entry(path: Path) -> dict[str, Any]:
    """Of a journal that nobody need hold; empty where there is none."""
    try:
        with path.open("rb") as file:
            entry = json.loads(file.readline())
    except (OSError, ValueError):
        return {}
    return entry if isinstance(entry, dict) else {}
