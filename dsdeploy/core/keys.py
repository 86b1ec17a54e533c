"""The keys of a service, as its gateway keeps them: a name and a SHA-256, never the key itself.

A key holds 256 random bits, so that a plain SHA-256 cannot be reversed by trying; a slow hash would only slow requests.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass

from dsdeploy.core.errors import KeyMalformed, KeyNameInvalid, KeysUnreadable
from dsdeploy.core.texts import Text, text

PREFIX = "dsk-"
FIRST_KEY = "default"
_RANDOM_BYTES = 32
_SHOWN = 4
_SHORTEST, _LONGEST = 32, 512
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # what a bearer token may be made of: RFC 6750, section 2.1
_LINE = re.compile(r"([0-9a-f]{64}) ([A-Za-z0-9][A-Za-z0-9._-]{0,63})")
_NOTE = re.compile(r"# created (\S+), ends in (\S+)")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`ends_with` are the last four characters; it and `created_at` (ISO 8601) are None where nobody noted them."""

    name: str
    sha256: str
    created_at: str | None
    ends_with: str | None


def new_secret() -> str:
    return f"{PREFIX}{secrets.token_urlsafe(_RANDOM_BYTES)}"


def key_shape() -> Text:
    """What a key may look like, as a hint."""
    return text("key-malformed-hint", shortest=_SHORTEST, longest=_LONGEST)


def api_key(name: str, secret: str, created_at: str) -> ApiKey:
    """What is kept of `secret`. Raises KeyNameInvalid, KeyMalformed."""
    if not _NAME.fullmatch(name):
        raise KeyNameInvalid(text("key-name-invalid", name=name), hint=text("key-name-invalid-hint"))
    if not _SHORTEST <= len(secret) <= _LONGEST or not _TOKEN.fullmatch(secret):
        raise KeyMalformed(text("key-malformed"), hint=key_shape())
    return ApiKey(name, hashlib.sha256(secret.encode()).hexdigest(), created_at, secret[-_SHOWN:])


def write_key_map(keys: tuple[ApiKey, ...]) -> str:
    """The gateway's own file: a line `<SHA-256> <name>` a key, after a comment that only people and dsdeploy read."""
    lines = []
    for one in keys:
        if one.created_at and one.ends_with:
            lines.append(f"# created {one.created_at}, ends in {one.ends_with}")
        lines.append(f"{one.sha256} {one.name}")
    return "".join(f"{line}\n" for line in lines)


def read_key_map(content: str, path: str) -> tuple[ApiKey, ...]:
    """The inverse of `write_key_map`. Raises KeysUnreadable for any other line, naming it by number only."""
    keys: list[ApiKey] = []
    note: re.Match[str] | None = None
    for number, line in enumerate(content.splitlines(), 1):
        if line.startswith("#") or not line.strip():
            note = _NOTE.fullmatch(line)
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            message = text("keys-line-wrong", path=path, line=number)
            raise KeysUnreadable(message, hint=text("keys-line-wrong-hint"))
        keys.append(ApiKey(found[2], found[1], *((note[1], note[2]) if note else (None, None))))
        note = None
    return tuple(keys)
