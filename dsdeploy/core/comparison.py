"""What changed since an earlier report, check by check, of those that both ran."""

import json
from dataclasses import dataclass
from typing import Any

from dsdeploy.core.documents import demand_mapping, unexpected
from dsdeploy.core.findings import BROKE, Finding
from dsdeploy.core.results import SCHEMA
from dsdeploy.core.texts import Malformed, text

_WORSE = ("pass", "skip", "warn", "fail")


@dataclass(frozen=True, slots=True)
class FindingChange:
    """`before` or `after` is None only for a checker that broke in one of the runs. `worse` says which way it went."""

    id: str
    before: str | None
    after: str | None
    measured_before: str | None
    measured_after: str | None
    worse: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """`changes` are the checks whose status differs, worse first; a skipped one counts as unjudged, worse than passed.

    What only one of the reports holds was left out of the other's run and is no change: its ids are `only_before` and
    `only_after`.
    """

    changes: tuple[FindingChange, ...] = ()
    only_before: tuple[str, ...] = ()
    only_after: tuple[str, ...] = ()


def read_report(content: str) -> dict[str, dict[str, Any]]:
    """The findings of a JSON report, by id. Raises ValueError, which names a foreign version or place."""
    document = demand_mapping(json.loads(content))
    for key, wanted in (("schema", SCHEMA), ("command", "check")):
        if document.get(key) != wanted:
            raise unexpected(key, wanted, document.get(key))
    data = document.get("data")
    findings = data.get("findings") if isinstance(data, dict) else None
    if not isinstance(findings, list):
        raise Malformed(text("reason-missing"), "data.findings")
    try:
        if strange := [one["status"] for one in findings if one["status"] not in _WORSE]:
            raise unexpected("data.findings.status", " / ".join(_WORSE), strange[0])
        return {str(one["id"]): {"status": one["status"], "measured": _words(one.get("measured"))} for one in findings}
    except (TypeError, KeyError, AttributeError) as error:
        raise Malformed(text("reason-garbled"), "data.findings") from error


def compare(before: dict[str, dict[str, Any]], findings: tuple[Finding, ...]) -> Comparison:
    now = {one.id: one for one in findings}
    shared = [id for id in dict.fromkeys((*now, *before)) if id == BROKE or (id in now and id in before)]
    changes = [one for id in shared if (one := _change(id, before.get(id), now.get(id))).before != one.after]
    return Comparison(
        tuple(sorted(changes, key=lambda one: not one.worse)),
        tuple(id for id in before if id not in (*shared, BROKE)),
        tuple(id for id in now if id not in (*shared, BROKE)),
    )


def _change(id: str, before: dict[str, Any] | None, now: Finding | None) -> FindingChange:
    was, is_now = before["status"] if before else None, now.status if now else None
    measured = before["measured"] if before else None
    return FindingChange(id, was, is_now, measured, now.measured if now else None, _rank(is_now) > _rank(was))


def _words(measured: object) -> str | None:
    return None if measured is None else str(measured)


def _rank(status: str | None) -> int:
    """A check that was not run is as good as one that was not judged."""
    return _WORSE.index(status) if status in _WORSE else _WORSE.index("skip")
