"""What changed since an earlier report, check by check."""

import json
from dataclasses import dataclass
from typing import Any

from dsdeploy.core.findings import Finding
from dsdeploy.core.results import SCHEMA

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
    document = json.loads(content)
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        found = document.get("schema") if isinstance(document, dict) else type(document).__name__
        raise ValueError(f"schema: expected {SCHEMA!r}, found {found!r}")
    if document.get("command") != "check":
        raise ValueError(f"command: expected 'check', found {document.get('command')!r}")
    data = document.get("data")
    findings = data.get("findings") if isinstance(data, dict) else None
    if not isinstance(findings, list):
        raise ValueError("data.findings: missing")
    try:
        if strange := [one["status"] for one in findings if one["status"] not in _WORSE]:
            raise ValueError(f"data.findings: status {strange[0]!r}")
        return {str(one["id"]): {"status": one["status"], "measured": _words(one.get("measured"))} for one in findings}
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"data.findings: {error!r}") from error


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
