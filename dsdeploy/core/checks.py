"""Every check as data: what it proves, in which group it stands, where its limit comes from."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

GROUPS = (
    "host", "network", "integrity", "engine", "inference", "quality", "speed", "security", "resilience",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CheckFacts:
    """`truth` is what a pass proves, by language; `limit` is the limit with its source, for people."""

    id: str
    group: str
    truth: dict[str, str]
    limit: str


@cache
def check_facts() -> dict[str, CheckFacts]:
    """Each by its id, in the order of reports."""
    content = json.loads((Path(__file__).parent / "data" / "checks.json").read_text(encoding="utf-8"))
    return {one["id"]: CheckFacts(**one) for one in content["checks"]}


def group_of(id: str) -> str:
    """host for what no list knows: a checker that broke."""
    found = check_facts().get(id)
    return found.group if found else GROUPS[0]
