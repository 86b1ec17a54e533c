"""Creates, revokes and rotates the keys of a release; what is kept of one cannot be turned back into it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dsdeploy.adapters.files import write_whole
from dsdeploy.adapters.gateway.keys import now, private, read_keys, read_secrets, write_keys
from dsdeploy.core.errors import InstallError, KeyExists, KeyMalformed, LastKey, UnknownKey
from dsdeploy.core.keys import FIRST_KEY, ApiKey, api_key, key_shape, new_secret
from dsdeploy.core.texts import text
from dsdeploy.core.values import Operation, Release


@dataclass(frozen=True, slots=True)
class Keys:
    """A release's keys. `secret` is a new one, shown this once; None where a file has it or none was made."""

    release: str
    keys: tuple[ApiKey, ...]
    secret: str | None = None
    changed: bool = False
    operations: tuple[Operation, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What keys there will be. `secret` is the new key of `name`, None where it is only taken away."""

    operation: Operation
    name: str
    keys: tuple[ApiKey, ...]
    secret: str | None


def created(release: Release, name: str, secret: str | None) -> Change:
    """With a key `name` more. Raises KeyExists, KeyNameInvalid, KeyMalformed, SecretsOpen, KeysUnreadable."""
    keys = read_keys(release)
    if any(one.name == name for one in keys):
        hint = text("key-exists-hint", name=name)
        raise KeyExists(text("key-exists", release=release.name, name=name), hint=hint)
    operation = Operation("create-named-key", {"name": name, "release": release.name})
    return _with(release, operation, keys, name, secret)


def rotated(release: Release, name: str, secret: str | None) -> Change:
    """With another key in the place of `name`. Raises UnknownKey, KeyMalformed, SecretsOpen, KeysUnreadable."""
    keys = _known(release, name)
    operation = Operation("rotate-key", {"name": name, "release": release.name})
    return _with(release, operation, tuple(one for one in keys if one.name != name), name, secret)


def revoked(release: Release, name: str) -> Change:
    """Without `name`. Raises UnknownKey, LastKey, SecretsOpen, KeysUnreadable."""
    left = tuple(one for one in _known(release, name) if one.name != name)
    if not left and release.target == "process":
        raise LastKey(text("key-last", name=name), hint=text("key-last-hint", name=name))
    return Change(Operation("revoke-key", {"name": name, "release": release.name}), name, left, None)


def given_secret(path: Path | None) -> str | None:
    """A key of the user's own, from a private file. Raises SecretsOpen, KeysUnreadable, KeyMalformed."""
    if path is None:
        return None
    private(path)
    try:
        return path.read_text(encoding="ascii").removesuffix("\n")
    except (OSError, ValueError) as error:
        raise KeyMalformed(text("key-file-unusable", path=path, reason=error), hint=key_shape()) from error


def operations(release: Release, change: Change) -> tuple[Operation, ...]:
    """What a change does; on a process it also starts the engine again, which reads its keys only once."""
    restart = (Operation("restart-engine", {"name": release.name}),) if release.target == "process" else ()
    return (change.operation, *restart)


def apply(release: Release, change: Change, out: Path | None) -> None:
    """Writes the new key to `out` first, so that a full disk loses nobody's key. Raises InstallError."""
    kept = {one.sha256 for one in change.keys}
    secrets = tuple(one for one in read_secrets(release) if hashlib.sha256(one.encode()).hexdigest() in kept)
    if change.secret and (release.target == "process" or change.name == FIRST_KEY):
        secrets = (change.secret, *secrets) if change.name == FIRST_KEY else (*secrets, change.secret)
    try:
        if out is not None and change.secret:
            write_whole(out, f"{change.secret}\n")
        write_keys(release, change.keys, secrets)
    except OSError as error:
        message = text("not-writable", path=error.filename or out or release.folder, reason=error)
        raise InstallError(message, hint=text("not-writable-hint")) from error


def _with(release: Release, operation: Operation, keys: tuple[ApiKey, ...], name: str, secret: str | None) -> Change:
    fresh = secret or new_secret()
    key = api_key(name, fresh, now())
    twin = next((one for one in read_keys(release) if one.sha256 == key.sha256), None)
    if twin is not None:
        hint = text("key-exists-hint", name=twin.name)
        raise KeyExists(text("key-same-secret", name=twin.name), hint=hint)
    return Change(operation, name, (*keys, key), fresh)


def _known(release: Release, name: str) -> tuple[ApiKey, ...]:
    keys = read_keys(release)
    if not any(one.name == name for one in keys):
        known = ", ".join(one.name for one in keys) or "-"
        message = text("key-unknown", release=release.name, name=name)
        raise UnknownKey(message, hint=text("key-unknown-hint", known=known))
    return keys
