"""JSON Schema of the values that are files, by the same rules as `dsdeploy.core.documents` reads them."""

import inspect
import types
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from dsdeploy.core.documents import API_VERSION

_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer", "minimum": 0},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}


def schema(kind: Any) -> dict[str, Any]:
    """A file of this kind: the value's fields beside its version and kind."""
    parts: dict[str, Any] = {}
    top = _object(kind, parts)
    top["properties"] = {"apiVersion": {"const": API_VERSION}, "kind": {"const": kind.__name__}, **top["properties"]}
    top["required"] = ["apiVersion", "kind", *top["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:dsdeploy:v1:{kind.__name__.lower()}",
        "title": kind.__name__,
        **top,
        "$defs": dict(sorted(parts.items())),
    }


def kept(kind: Any) -> list[tuple[str, Any, bool]]:
    """The fields that a file may hold: name, type, and whether it must be there."""
    hints = get_type_hints(kind)
    return [
        (one.name, hints[one.name], one.default is MISSING and one.default_factory is MISSING)
        for one in fields(kind)
        if not one.metadata.get("derived")
    ]


def parts_of(kind: Any, seen: dict[str, Any] | None = None) -> dict[str, Any]:
    """Every dataclass within this one, itself first."""
    seen = {} if seen is None else seen
    if is_dataclass(kind) and kind.__name__ not in seen:
        seen[kind.__name__] = kind
        for _, hint, _ in kept(kind):
            parts_of(hint, seen)
    for inner in get_args(kind):
        parts_of(inner, seen)
    return seen


def _object(kind: Any, parts: dict[str, Any]) -> dict[str, Any]:
    known = kept(kind)
    return {
        "type": "object",
        "description": inspect.cleandoc(kind.__doc__ or ""),
        "properties": {name: _of(hint, parts) for name, hint, _ in known},
        "required": [name for name, _, needed in known if needed],
        "additionalProperties": False,
    }


def _of(hint: Any, parts: dict[str, Any]) -> dict[str, Any]:
    if is_dataclass(hint):
        name = getattr(hint, "__name__", "")
        if name not in parts:
            parts[name] = {}  # holds the place, should the value hold one of its own kind
            parts[name] = _object(hint, parts)
        return {"$ref": f"#/$defs/{name}"}
    inner = get_args(hint)
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _of(inner[0], parts)}
    if get_origin(hint) is dict:
        return {"type": "object", "additionalProperties": _of(inner[1], parts)}
    if get_origin(hint) in (Union, types.UnionType):
        return {"anyOf": [_of(inner[0], parts), {"type": "null"}]}
    return dict(_PLAIN.get(hint, {}))
