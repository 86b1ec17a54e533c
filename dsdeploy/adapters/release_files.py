"""A release's folder: rendered files and keys, compared with the wanted ones and written; the same for every target."""

import os
import shutil
from pathlib import Path

from dsdeploy.adapters.files import write_whole
from dsdeploy.adapters.gateway import certificate, keys
from dsdeploy.core.errors import InstallError
from dsdeploy.core.keys import new_secret
from dsdeploy.core.layout import CERTIFICATE_FILE, ENGINE_KEY_FILE, KEY_MAP_FILE, KEYS_FILE
from dsdeploy.core.texts import text
from dsdeploy.core.values import Operation, Release, RenderedFiles


def file_operations(release: Release, rendered: RenderedFiles) -> tuple[Operation, ...]:
    """What is missing or differs on disk: the key, then each rendered file."""
    folder = Path(release.folder)
    key = () if (folder / KEYS_FILE).is_file() else (Operation("create-key", {"path": str(folder / KEYS_FILE)}),)
    stale = (one for one in rendered.files if not _same(folder / one.path, one.content, one.mode))
    return (*key, *(Operation("write-file", {"path": str(folder / one.path)}) for one in stale))


def gateway_operations(release: Release) -> tuple[Operation, ...]:
    """What the gateway of `release` lacks of its own: hashes of its keys, a key towards its engines, a certificate."""
    folder = Path(release.folder)
    hashed = (folder / KEY_MAP_FILE).is_file() or not (folder / KEYS_FILE).is_file()
    engine_key = (folder / ENGINE_KEY_FILE).is_file()
    return (
        *(() if hashed else (Operation("create-key", {"path": str(folder / KEYS_FILE)}),)),
        *(() if engine_key else (Operation("create-engine-key", {"path": str(folder / ENGINE_KEY_FILE)}),)),
        *((Operation("create-certificate", _certificate(release)),) if certificate.due(release) else ()),
    )


def apply_file_operation(operation: Operation, release: Release, rendered: RenderedFiles) -> None:
    """Does create-key, create-engine-key, create-certificate, write-file or remove-folder. Raises InstallError."""
    path = Path(operation.arguments["path"])
    folder = Path(release.folder)
    try:
        match operation.action:
            case "create-key":
                _make_folder(path.parent, 0o700)
                keys.create_first_key(release)
            case "create-engine-key":
                _make_folder(path.parent, 0o700)
                keys.write_owned(path, f"{new_secret()}\n")
            case "create-certificate":
                certificate.make(release)
            case "write-file":
                one = next(file for file in rendered.files if folder / file.path == path)
                _make_folder(folder, 0o700)
                for parent in reversed(path.relative_to(folder).parents[:-1]):
                    _make_folder(folder / parent, 0o755)  # containers' users read some of them, through their mounts
                write_whole(path, one.content, one.mode)
            case "remove-folder":
                shutil.rmtree(path, ignore_errors=False)
            case _:
                raise AssertionError(operation.action)
    except FileNotFoundError:
        if operation.action != "remove-folder":
            raise
    except OSError as error:
        raise InstallError(text("not-writable", path=path, reason=error), hint=text("not-writable-hint")) from error


def _certificate(release: Release) -> dict[str, str]:
    return {"path": str(Path(release.folder) / CERTIFICATE_FILE), "host": release.host}


def _same(path: Path, content: str, mode: int) -> bool:
    try:
        return path.read_text(encoding="utf-8") == content and path.stat().st_mode & 0o777 == mode
    except OSError:
        return False


def _make_folder(path: Path, mode: int) -> None:
    path.mkdir(parents=True, exist_ok=True)
    os.chmod(path, mode)
