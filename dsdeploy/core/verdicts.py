"""How the outcome of checks is named and counted, for tables and reports alike."""

import re
from collections import Counter

from dsdeploy.core.texts import Text, text
from dsdeploy.core.values import Checked

STATUSES = {
    "pass": text("check-status-pass"),
    "warn": text("check-status-warn"),
    "fail": text("check-status-fail"),
    "skip": text("check-status-skip"),
}
GROUP_WORDS = {
    "host": text("group-host"),
    "network": text("group-network"),
    "integrity": text("group-integrity"),
    "engine": text("group-engine"),
    "inference": text("group-inference"),
    "quality": text("group-quality"),
    "speed": text("group-speed"),
    "security": text("group-security"),
    "resilience": text("group-resilience"),
}
SIGNS = {"pass": "✔", "warn": "!", "fail": "✘", "skip": "–"}
_NAMED = 3  # ids in a line, of as many as there are
VERDICTS = {
    "pass": text("check-verdict-pass"),
    "warn": text("check-verdict-warn"),
    "fail": text("check-verdict-fail"),
}


def shorten(value: str | None) -> str:
    """A measured value or limit for a table's cell: a digest by its beginning, as people compare it; else as it is."""
    return f"{value[:12]}…" if value and re.fullmatch("[0-9a-f]{64}", value) else value or "–"


def not_compared(checked: Checked) -> tuple[Text, ...]:
    """What an earlier report could not be held against, one line a report that lacks it."""
    lines = (("report-only-before", checked.only_before), ("report-only-after", checked.only_after))
    return tuple(Text(id, {"count": len(ids), "ids": _first(ids)}) for id, ids in lines if ids)


def _first(ids: tuple[str, ...]) -> str:
    return ", ".join(ids[:_NAMED]) + (", …" if len(ids) > _NAMED else "")


def summary(checked: Checked) -> Text:
    count = Counter(one.status for one in checked.findings)
    return text(
        "check-summary", passed=count["pass"], warned=count["warn"], failed=count["fail"], skipped=count["skip"],
        seconds=f"{checked.took_s:.1f}",
    )  # fmt: skip
