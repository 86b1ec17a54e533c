"""What changed since an earlier report, check by check."""

import json
from dataclasses import dataclass
from typing import Any

from dsdeploy.core.documents import demand_mapping, unexpected
from dsdeploy.core.findings import Finding
from dsdeploy.core.results import SCHEMA
from dsdeploy.core.texts import Malformed, text

_WORSE = ("pass", "skip", "warn", "fail")


@dataclass(frozen=True, slots=True)
class FindingChange:
    """`before` or `after` is None where the check was not in that report. `worse` says which way it went."""

    id: str
    before: str | None
    after: str | None
    measured_before: str | None
    measured_after: str | None
    worse: bool


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


def compare(before: dict[str, dict[str, Any]], findings: tuple[Finding, ...]) -> tuple[FindingChange, ...]:
    """Checks whose status differs, worse first. A skipped check counts as unjudged, worse than passed."""
    now = {one.id: one for one in findings}
    changes = [
        FindingChange(
            id,
            old["status"] if (old := before.get(id)) else None,
            now[id].status if id in now else None,
            old["measured"] if old else None,
            now[id].measured if id in now else None,
            _rank(now[id].status if id in now else None) > _rank(old["status"] if old else None),
        )
        for id in dict.fromkeys((*now, *before))
        if (before.get(id) or {}).get("status") != (now[id].status if id in now else None)
    ]
    return tuple(sorted(changes, key=lambda one: not one.worse))


def _words(measured: object) -> str | None:
    return None if measured is None else str(measured)


def _rank(status: str | None) -> int:
    """A check that was not run is as good as one that was not judged."""
    return _WORSE.index(status) if status in _WORSE else _WORSE.index("skip")
