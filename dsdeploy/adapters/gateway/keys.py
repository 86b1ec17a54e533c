"""A release's keys on disk: `keys.map` names and hashes them all; `api-keys` holds some in clear."""

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

from dsdeploy.adapters.files import write_whole
from dsdeploy.core.errors import InstallError, KeysUnreadable, SecretsOpen
from dsdeploy.core.keys import FIRST_KEY, ApiKey, api_key, new_secret, read_key_map, write_key_map
from dsdeploy.core.layout import KEY_MAP_FILE, KEYS_FILE
from dsdeploy.core.texts import text
from dsdeploy.core.values import Release


def read_keys(release: Release) -> tuple[ApiKey, ...]:
    """The keys that `release` takes, by name where they have one. Raises KeysUnreadable, SecretsOpen."""
    path = Path(release.folder) / KEY_MAP_FILE
    known = read_key_map(_read(path), str(path)) if path.exists() else ()
    if release.target != "process":
        return known
    named = {one.sha256: one for one in known}
    hashes = [hashlib.sha256(one.encode()).hexdigest() for one in read_secrets(release)]
    names = (FIRST_KEY, *(f"{FIRST_KEY}-{number}" for number in range(2, len(hashes) + 1)))
    return tuple(named.get(one) or ApiKey(name, one, None, None) for name, one in zip(names, hashes, strict=False))


def read_secrets(release: Release) -> tuple[str, ...]:
    """The keys that are kept in clear; none where the file is gone. Raises KeysUnreadable, SecretsOpen."""
    path = Path(release.folder) / KEYS_FILE
    return tuple(_read(path).split()) if path.exists() else ()


def write_keys(release: Release, keys: tuple[ApiKey, ...], secrets: tuple[str, ...]) -> None:
    """Both files, each whole or not at all, owned as before. Raises OSError."""
    folder = Path(release.folder)
    for name, content in ((KEYS_FILE, "".join(f"{one}\n" for one in secrets)), (KEY_MAP_FILE, write_key_map(keys))):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_owned(path, content)


def create_first_key(release: Release) -> None:
    """A new key `default`, in clear for whoever installs; other keys stay. Raises OSError, KeysUnreadable."""
    path = Path(release.folder) / KEY_MAP_FILE
    known = read_key_map(_read(path), str(path)) if path.exists() and release.target != "process" else ()
    others = (one for one in known if one.name != FIRST_KEY)
    secret = new_secret()
    write_keys(release, (api_key(FIRST_KEY, secret, now()), *others), (secret,))


def write_owned(path: Path, content: str) -> None:
    """Whole or not at all, 0600, for whoever owns its folder: the containers' user, where that is another one."""
    write_whole(path, content)
    owner = path.parent.stat()
    if owner.st_uid != os.getuid():
        os.chown(path, owner.st_uid, owner.st_gid)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def private(path: Path) -> None:
    """Raises SecretsOpen for a file that others than its owner may read, KeysUnreadable for one that is not there."""
    try:
        mode = path.stat().st_mode & 0o777
    except OSError as error:
        raise _unreadable(path, error) from error
    if mode & 0o077:
        message = text("secrets-open", path=path, mode=f"{mode:04o}")
        raise SecretsOpen(message, hint=text("secrets-open-hint", path=path))


def _read(path: Path) -> str:
    private(path)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> InstallError:
    return KeysUnreadable(text("keys-not-readable", path=path, reason=error), hint=text("keys-not-readable-hint"))
