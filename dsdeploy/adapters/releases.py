"""What is installed here: one folder a release, its Release in `release.json`."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from dsdeploy.adapters.files import write_whole
from dsdeploy.core.documents import from_document, to_document
from dsdeploy.core.errors import Busy, InstallError, NothingInstalled, ReleaseUnreadable
from dsdeploy.core.layout import RELEASE_FILE, Layout
from dsdeploy.core.texts import text
from dsdeploy.core.values import Release


@contextmanager
def hold_lock(layout: Layout, command: str) -> Iterator[None]:
    """One change at a time; the lock falls with the process that holds it. Raises Busy, which names it; InstallError.

    The file says who held it last; only the kernel says whether it is held, so that nothing stale is ever believed.
    """
    try:
        layout.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = layout.lock.open("a")
    except OSError as error:
        raise InstallError(
            text("not-writable", path=layout.home, reason=error), hint=text("not-writable-hint")
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise _busy(layout.lock) from error
        since = datetime.now(UTC).isoformat(timespec="seconds")
        holder = {"pid": os.getpid(), "command": command, "since": since}
        with suppress(OSError):  # a full disk stops no uninstall
            os.ftruncate(lock.fileno(), 0)
            os.write(lock.fileno(), json.dumps(holder).encode())
        yield


def _busy(path: Path) -> Busy:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        message = text("busy", path=path, command=holder["command"], pid=holder["pid"], since=holder["since"])
    except (OSError, ValueError, KeyError, TypeError):
        message = text("busy-nameless", path=path)
    return Busy(message, hint=text("busy-hint"))


def list_releases(layout: Layout) -> tuple[Release, ...]:
    """Every release here, by name. Raises ReleaseUnreadable."""
    return tuple(_load(path) for path in sorted(layout.release("").glob(f"*/{RELEASE_FILE}")))


def find_release(layout: Layout, name: str) -> Release | None:
    path = layout.release(name) / RELEASE_FILE
    return _load(path) if path.is_file() else None


def load_release(layout: Layout, name: str | None) -> Release:
    """That release, or the only one when no name is given. Raises NothingInstalled, ReleaseUnreadable."""
    installed = list_releases(layout)
    wanted = [one for one in installed if one.name == name or (name is None and one.state != "candidate")]
    if len(wanted) == 1:
        return wanted[0]
    if not installed:
        raise NothingInstalled(text("nothing-installed", home=layout.home), hint=text("nothing-installed-hint"))
    known = ", ".join(one.name for one in installed)
    message = text("which-release") if name is None else text("no-such-release", name=name)
    raise NothingInstalled(message, hint=text("which-release-hint", known=known))


def save_release(release: Release) -> None:
    """Raises InstallError."""
    path = Path(release.folder) / RELEASE_FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, json.dumps(to_document(release), indent=1, ensure_ascii=False))
    except OSError as error:
        raise InstallError(text("not-writable", path=path, reason=error), hint=text("not-writable-hint")) from error


def _load(path: Path) -> Release:
    """Raises ReleaseUnreadable, which names the version of a newer file."""
    try:
        return from_document(Release, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise ReleaseUnreadable(
            text("unreadable", path=path, reason=error), hint=text("release-unreadable-hint")
        ) from error
