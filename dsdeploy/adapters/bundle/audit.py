"""A log that an auditor keeps: one JSON line an event, appended and flushed to disk, never rewritten."""

import getpass
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dsdeploy.core.errors import BundleNotWritable
from dsdeploy.core.texts import text


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
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            os.write(file, (json.dumps(line, ensure_ascii=False) + "\n").encode())
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        raise BundleNotWritable(
            text("not-writable", path=path, reason=error.strerror or error), hint=text("not-writable-hint")
        ) from error
