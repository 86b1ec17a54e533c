"""Values as files: strict reading, so that a misspelt or missing key is named, never passed over."""

import json
import types
from collections.abc import Iterable
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from dsdeploy.core.texts import Malformed, Text, text

API_VERSION = "dsdeploy/v1"
DERIVED = {"derived": True}  # metadata of a field that follows from the others: neither written nor read
_MOST_SHOWN = 80
T = TypeVar("T")
_KINDS: dict[Any, Text] = {
    dict: text("kind-mapping"),
    list: text("kind-list"),
    tuple: text("kind-list"),
    str: text("kind-text"),
    int: text("kind-whole-number"),
    float: text("kind-number"),
    bool: text("kind-true-or-false"),
}


def to_document(value: Any) -> dict[str, Any]:
    """A frozen value as a mapping that says its version and kind."""
    return {"apiVersion": API_VERSION, "kind": type(value).__name__, **_plain(value)}


def from_document(kind: type[T], document: object) -> T:
    """The value that `to_document` wrote. Raises Malformed, which names the place and the nearest key."""
    value: T = _read(kind, _content(kind, document), "")
    return value


def fields_from(kind: type, document: object) -> dict[str, Any]:
    """Those fields of such a value that a document holds: any of them may be missing. Raises Malformed."""
    content = _content(kind, document)
    known = _known(kind)
    for key in content:
        if key not in known:
            raise unknown_key("", key, known)
    return {name: _read(known[name][0], one, name) for name, one in content.items()}


def _content(kind: type, document: object) -> dict[Any, Any]:
    """Without the keys that say its version and kind."""
    content = dict(demand_mapping(document))
    for key, wanted in (("apiVersion", API_VERSION), ("kind", kind.__name__)):
        if (found := content.pop(key, None)) != wanted:
            raise unexpected(key, wanted, found)
    return content


def demand_mapping(content: object, place: str = "") -> dict[Any, Any]:
    """Raises Malformed; of nothing at all it says that the file is empty."""
    if content is None and not place:
        raise Malformed(text("reason-empty"))
    if not isinstance(content, dict):
        raise unexpected(place, _KINDS[dict], content)
    return content


def unexpected(place: str, wanted: Text | str, found: object) -> Malformed:
    """What stands there, as JSON, shortened where it is long."""
    shown = json.dumps(found, ensure_ascii=False, default=lambda one: f"{type(one).__name__} {one}", skipkeys=True)
    shown = shown if len(shown) <= _MOST_SHOWN else shown[:_MOST_SHOWN] + "…"
    return Malformed(text("reason-expected", wanted=wanted, found=shown), place)


def kind_name(kind: Any) -> Text | str:
    """What people call such a value."""
    return _KINDS.get(get_origin(kind) or kind) or str(kind)


def unknown_key(place: str, key: object, known: Iterable[str]) -> Malformed:
    near = get_close_matches(str(key), known, n=1, cutoff=0)
    return Malformed(text("reason-unknown-key", near=near[0]), f"{place}.{key}".strip("."))


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        kept = (field.name for field in fields(value) if not field.metadata.get("derived"))
        return {name: _plain(getattr(value, name)) for name in kept}
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value


def _read(kind: Any, value: Any, place: str) -> Any:
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _read_fields(kind, value, place)
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_read(get_args(kind)[0], one, f"{place}[{index}]") for index, one in enumerate(value))
    if get_origin(kind) is dict and isinstance(value, dict):
        return {
            _read(get_args(kind)[0], key, place): _read(get_args(kind)[1], one, f"{place}.{key}")
            for key, one in value.items()
        }
    if get_origin(kind) in (Union, types.UnionType):
        return None if value is None else _read(get_args(kind)[0], value, place)
    if kind is float and type(value) is int:
        value = float(value)
    if not isinstance(kind, type) or type(value) is not kind:
        raise unexpected(place, kind_name(kind), value)
    if isinstance(value, int) and value < 0:
        raise Malformed(text("reason-negative", value=value), place)
    return value


def _read_fields(kind: Any, value: Any, place: str) -> Any:
    known = _known(kind)
    for key in demand_mapping(value, place):
        if key not in known:
            raise unknown_key(place, key, known)
    dotted = f"{place}." if place else ""
    for name, (_, needed) in known.items():
        if needed and name not in value:
            raise Malformed(text("reason-missing"), dotted + name)
    return kind(**{name: _read(hint, value[name], dotted + name) for name, (hint, _) in known.items() if name in value})


@cache
def _known(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Each field that a file may hold: its type, and whether it must be there. A fleet holds thousands of one kind."""
    hints = get_type_hints(kind)
    kept = (field for field in fields(kind) if not field.metadata.get("derived"))
    return {
        field.name: (hints[field.name], field.default is MISSING and field.default_factory is MISSING) for field in kept
    }
