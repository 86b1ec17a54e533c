"""A release's folder: rendered files and keys, compared with the wanted ones and written; the same for every target."""

import os
import secrets
import shutil
from pathlib import Path

from dsdeploy.adapters.files import write_whole
from dsdeploy.core.errors import InstallError
from dsdeploy.core.layout import KEYS_FILE
from dsdeploy.core.texts import text
from dsdeploy.core.values import Operation, Release, RenderedFiles

_KEY_BYTES = 32


def file_operations(release: Release, rendered: RenderedFiles) -> tuple[Operation, ...]:
    """What is missing or differs on disk: the key, then each rendered file."""
    folder = Path(release.folder)
    key = () if (folder / KEYS_FILE).is_file() else (Operation("create-key", {"path": str(folder / KEYS_FILE)}),)
    stale = (one for one in rendered.files if not _same(folder / one.path, one.content, one.mode))
    return (*key, *(Operation("write-file", {"path": str(folder / one.path)}) for one in stale))


def apply_file_operation(operation: Operation, release: Release, rendered: RenderedFiles) -> None:
    """Does create-key, write-file or remove-folder. Raises InstallError."""
    path = Path(operation.arguments["path"])
    folder = Path(release.folder)
    try:
        match operation.action:
            case "create-key":
                _make_folder(path.parent, 0o700)
                write_whole(path, f"dsk-{secrets.token_hex(_KEY_BYTES)}\n")
            case "write-file":
                one = next(file for file in rendered.files if folder / file.path == path)
                _make_folder(path.parent, 0o700)
                write_whole(path, one.content, one.mode)
            case "remove-folder":
                shutil.rmtree(path, ignore_errors=False)
            case _:
                raise AssertionError(operation.action)
    except FileNotFoundError:
        if operation.action != "remove-folder":
            raise
    except OSError as error:
        raise InstallError(
            text("not-writable", path=path, reason=error.strerror or error), hint=text("not-writable-hint")
        ) from error


def _same(path: Path, content: str, mode: int) -> bool:
    try:
        return path.read_text(encoding="utf-8") == content and path.stat().st_mode & 0o777 == mode
    except OSError:
        return False


def _make_folder(path: Path, mode: int) -> None:
    path.mkdir(parents=True, exist_ok=True)
    os.chmod(path, mode)
