"""A log that an auditor keeps: one JSON line an event, appended and flushed to disk, never rewritten.

Each line holds the SHA-256 of the line before it, so that one taken out, put in or changed afterwards shows.
"""

import fcntl
import getpass
import hashlib
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dsdeploy.core.errors import BundleNotWritable
from dsdeploy.core.texts import text

_LONGEST_LINE_BYTES = 2**20


def record(path: Path, event: str, facts: dict[str, Any]) -> None:
    """Raises BundleNotWritable: work that cannot be recorded is not done."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    now = datetime.now(UTC).isoformat(timespec="seconds")
    line = {"time": now, "event": event, "host": platform.node(), "user": user, **facts}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            line["previous"] = _last_line_sha256(file)
            os.write(file, (json.dumps(line, ensure_ascii=False) + "\n").encode())
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        raise BundleNotWritable(
            text("not-writable", path=path, reason=error), hint=text("not-writable-hint")
        ) from error


def read(path: Path) -> tuple[tuple[dict[str, Any], ...], int | None]:
    """The events, and the number of the first line that does not follow from the one before it. Raises OSError."""
    events: list[dict[str, Any]] = []
    previous, broken = None, None
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        try:
            event = json.loads(line)
            follows = event["previous"] == previous
            events.append(event)
        except (ValueError, TypeError, KeyError):
            follows = False
        broken = broken or (None if follows else number)
        previous = hashlib.sha256(line).hexdigest()
    return tuple(events), broken


def _last_line_sha256(file: int) -> str | None:
    size = os.fstat(file).st_size
    tail = os.pread(file, min(size, _LONGEST_LINE_BYTES), max(0, size - _LONGEST_LINE_BYTES))
    lines = tail.splitlines(keepends=True)
    return hashlib.sha256(lines[-1]).hexdigest() if lines else None
