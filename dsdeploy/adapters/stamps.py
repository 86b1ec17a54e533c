"""What tells that verified weights were not written since, without reading them: kept beside them."""

import json
from pathlib import Path

from dsdeploy.adapters.files import write_whole
from dsdeploy.core.values import WeightFile

_STAMPS_FILE = "verified.json"


def save_stamps(folder: Path, files: tuple[WeightFile, ...]) -> None:
    """Says that these files hold what their digests say, as they are now. Raises OSError."""
    write_whole(folder / _STAMPS_FILE, json.dumps({one.name: _stamp(folder / one.name) for one in files}))


def changed_since(folder: Path, files: tuple[WeightFile, ...]) -> tuple[WeightFile, ...]:
    """Those that may differ from what was verified. Raises OSError, ValueError."""
    stamps = json.loads((folder / _STAMPS_FILE).read_text(encoding="utf-8"))
    return tuple(one for one in files if stamps.get(one.name) != _stamp(folder / one.name))


def _stamp(path: Path) -> list[int]:
    """Inode, size, time of change."""
    now = path.stat()
    return [now.st_ino, now.st_size, now.st_mtime_ns]
