"""The machines that a user lists in a YAML file, to be asked over ssh."""

import sys
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dsdeploy.core.errors import InventoryUnreadable
from dsdeploy.core.texts import Text, text


@dataclass(frozen=True, slots=True)
class Host:
    """`name` is what ssh is asked for unless `address` says otherwise; all else is left to the user's ssh settings.

    `data_address` is where other machines of a service reach it, where that is another network than ssh's.
    """

    name: str
    address: str | None = None
    user: str | None = None
    port: int | None = None
    identity_file: str | None = None
    data_address: str | None = None


def load_inventory(path: Path) -> tuple[Host, ...]:
    """`path` "-" is standard input. Raises InventoryUnreadable, which names the place."""
    import yaml

    try:
        content = yaml.safe_load(sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise _unreadable(path, error) from error
    if content is None:
        raise _unreadable(path, text("reason-empty"))
    listed = content.get("hosts") if isinstance(content, dict) else content
    if not isinstance(listed, list) or not listed:
        raise _unreadable(path, text("inventory-no-hosts"))
    hosts = tuple(_host(path, one, place) for place, one in enumerate(listed))
    for place, host in enumerate(hosts):
        if host.name in (other.name for other in hosts[:place]):
            raise _unreadable(path, text("inventory-twice", name=host.name))
    return hosts


def _host(path: Path, entry: Any, place: int) -> Host:
    entry = {"name": entry} if isinstance(entry, str) else entry
    kinds = {"name": str, "address": str, "user": str, "port": int, "identity_file": str, "data_address": str}
    names = [field.name for field in fields(Host)]
    if not isinstance(entry, dict) or "name" not in entry:
        raise _unreadable(path, text("inventory-no-name", place=place))
    for key, value in entry.items():
        if key not in names:
            near = get_close_matches(str(key), names, n=1, cutoff=0) or names
            raise _unreadable(path, text("inventory-unknown-key", place=place, key=key, near=near[0]))
        # a leading dash would be an option of ssh
        if type(value) is not kinds[key] or str(value).startswith("-") or not str(value):
            raise _unreadable(path, text("inventory-bad-value", place=place, key=key, value=value))
    return Host(**entry)


def _unreadable(path: Path, reason: Text | Exception) -> InventoryUnreadable:
    return InventoryUnreadable(
        text("inventory-unreadable", path=path, reason=reason), hint=text("inventory-unreadable-hint")
    )
