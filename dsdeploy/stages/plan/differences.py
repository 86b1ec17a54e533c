"""What two plans say differently, field by field."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dsdeploy.core.documents import to_document
from dsdeploy.core.plan import Plan


@dataclass(frozen=True, slots=True)
class PlanDifference:
    """`place` is the dotted path of a field; a side that lacks it is None."""

    place: str
    old: Any
    new: Any


def plan_differences(old: Plan, new: Plan) -> tuple[PlanDifference, ...]:
    """In the order of the file; rejected candidates are compared by model and format, not by place."""
    return tuple(_differences("", _keyed(to_document(old)), _keyed(to_document(new))))


def _keyed(document: dict[str, Any]) -> dict[str, Any]:
    for name in ("rejected", "alternatives"):
        document[name] = {f"{one['model_id']} {one['format']}": one for one in document[name]}
    return document


def _differences(place: str, old: Any, new: Any) -> Iterator[PlanDifference]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            yield from _differences(f"{place}.{key}" if place else str(key), old.get(key), new.get(key))
    elif old != new:
        yield PlanDifference(place, old, new)
