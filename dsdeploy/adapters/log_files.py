"""Log files: their last lines, and what is written to them from now on."""

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

_LOOK_S = 0.3


def tail_lines(path: Path, lines: int) -> Iterator[str]:
    """The last lines of `path` and, while that does not reach, of the file it was rotated to; none when neither is."""
    kept: deque[str] = deque(maxlen=lines)
    for one in (path.with_name(path.name + ".1"), path):
        try:
            with one.open(encoding="utf-8", errors="replace") as file:
                kept.extend(line.rstrip("\n") for line in file)
        except OSError:
            continue
    yield from kept


def follow_lines(path: Path) -> Iterator[str]:
    """Each line written from now on, without end; a file that is rotated away is read on from the new one."""
    file, rest = None, ""
    try:
        while True:
            try:
                if file is None:
                    file = path.open(encoding="utf-8", errors="replace")
                    file.seek(0, 2)
                elif path.stat().st_ino != Path(f"/dev/fd/{file.fileno()}").stat().st_ino:
                    file.close()
                    file = path.open(encoding="utf-8", errors="replace")
            except OSError:
                time.sleep(_LOOK_S)
                continue
            if piece := file.readline():
                rest += piece
                if rest.endswith("\n"):
                    yield rest[:-1]
                    rest = ""
            else:
                time.sleep(_LOOK_S)
    finally:
        if file is not None:
            file.close()
