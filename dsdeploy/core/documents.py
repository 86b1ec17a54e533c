"""Values as files: strict reading, so that a misspelt or missing key is named, never passed over."""

import types
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

API_VERSION = "dsdeploy/v1"
DERIVED = {"derived": True}  # metadata of a field that follows from the others: neither written nor read
T = TypeVar("T")


def to_document(value: Any) -> dict[str, Any]:
    """A frozen value as a mapping that says its version and kind."""
    return {"apiVersion": API_VERSION, "kind": type(value).__name__, **_plain(value)}


def from_document(kind: type[T], document: object) -> T:
    """The value that `to_document` wrote. Raises ValueError, which names the place and the nearest key."""
    if not isinstance(document, dict):
        raise ValueError(f"expected a {kind.__name__}, found {type(document).__name__}")
    content = dict(document)
    for key, expected in (("apiVersion", API_VERSION), ("kind", kind.__name__)):
        if content.pop(key, None) != expected:
            raise ValueError(f"{key}: expected {expected!r}, found {document.get(key)!r}")
    value: T = _read(kind, content, "")
    return value


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        kept = (field.name for field in fields(value) if not field.metadata.get("derived"))
        return {name: _plain(getattr(value, name)) for name in kept}
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value


def _read(kind: Any, value: Any, place: str) -> Any:
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
        expected = getattr(kind, "__name__", str(kind))
        raise ValueError(f"{place}: expected {expected}, found {value!r}")
    if isinstance(value, int) and value < 0:
        raise ValueError(f"{place}: {value} is negative")
    return value


def _read_fields(kind: Any, value: Any, place: str) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{place}: expected a mapping, found {value!r}")
    known = _known(kind)
    dotted = f"{place}." if place else ""
    for key in value:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            raise ValueError(f"{dotted}{key}: unknown key" + (f"; nearest is {near[0]}" if near else ""))
    for name, (_, needed) in known.items():
        if needed and name not in value:
            raise ValueError(f"{dotted}{name}: missing")
    return kind(**{name: _read(hint, value[name], dotted + name) for name, (hint, _) in known.items() if name in value})


@cache
def _known(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Each field that a file may hold: its type, and whether it must be there. A fleet holds thousands of one kind."""
    hints = get_type_hints(kind)
    kept = (field for field in fields(kind) if not field.metadata.get("derived"))
    return {
        field.name: (hints[field.name], field.default is MISSING and field.default_factory is MISSING) for field in kept
    }
