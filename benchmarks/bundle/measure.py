"""One act between two clocks: seconds with `sync`, processor time, and the most room that it took on the disk."""

import mmap
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_LOOK_S = 0.05
_BLOCK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Taken:
    seconds: float
    processor_s: float


def timed(work: Callable[[], None], folder: Path, *, cold: bool, size_bytes: int) -> Taken:
    """`cold` empties the page cache first (root); else everything in `folder` is read into it."""
    os.sync()
    if cold:
        Path("/proc/sys/vm/drop_caches").write_text("3")
    _touch_memory(size_bytes)
    if not cold:
        _read_all(folder)
    before, begin = os.times(), time.perf_counter()
    work()
    os.sync()
    seconds, after = time.perf_counter() - begin, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Taken(seconds, used)


class Watch:
    """The most that lies below a folder while the block runs, each file counted once."""

    most_bytes = 0

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(_LOOK_S):
            self.most_bytes = max(self.most_bytes, taken_bytes(self._folder))


def taken_bytes(folder: Path) -> int:
    found: dict[int, int] = {}
    for top, _, files in os.walk(folder):
        for name in files:
            try:
                stat = os.lstat(os.path.join(top, name))
            except FileNotFoundError:
                continue
            found[stat.st_ino] = stat.st_blocks * 512
    return sum(found.values())


def written_by(process: subprocess.Popen[bytes]) -> int:
    """Bytes that it gave to `write` until now."""
    return int(Path(f"/proc/{process.pid}/io").read_text().split()[3])


def remove(*paths: Path) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _read_all(folder: Path) -> None:
    block = bytearray(_BLOCK_BYTES)
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb", buffering=0) as file:
                while file.readinto(block):
                    pass


def _touch_memory(size_bytes: int) -> None:
    """A virtual machine gives free memory back to its host and pays for each page when it is used again: up to ten
    times the time of a copy, by whichever act comes first. So the pages are taken back before the clock starts: those
    of what is read and of what is written."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    pages = mmap.mmap(
        -1, min(2 * size_bytes, free * 3 // 4), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    )
    pages.close()
