"""Which controls of which rules the findings are evidence for, and which are the site's own duty. No certificate."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dsdeploy.core.findings import Finding


@dataclass(frozen=True, slots=True)
class Control:
    """`title` is ours, by language; `checks` give evidence for a part of it, none where only the site can."""

    id: str
    title: dict[str, str]
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Framework:
    """`targets` are those it speaks of, none for all; `source` is where its text can be read."""

    id: str
    title: dict[str, str]
    source: str
    targets: tuple[str, ...]
    controls: tuple[Control, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """`state` is evidence (something passed, nothing failed or warned), open, unseen (nothing was judged) or site."""

    control: Control
    state: str
    passed: tuple[str, ...]
    against: tuple[str, ...]
    unjudged: tuple[str, ...]


@cache
def frameworks() -> tuple[Framework, ...]:
    return tuple(
        Framework(
            one["id"], one["title"], one["source"], tuple(one["targets"]),
            tuple(Control(each["id"], each["title"], tuple(each["checks"])) for each in one["controls"]),
        )
        for one in _content()["frameworks"]
    )  # fmt: skip


def frameworks_of(industry: str, target: str) -> tuple[Framework, ...]:
    """Those of an industry's rules that speak of such a target; an unknown industry is read as general."""
    profiles = _content()["industries"]
    wanted = profiles.get(industry, profiles["general"])
    return tuple(one for one in frameworks() if one.id in wanted and (not one.targets or target in one.targets))


def judge_controls(framework: Framework, findings: tuple[Finding, ...]) -> tuple[Evidence, ...]:
    status = {one.id: one.status for one in findings}
    return tuple(_judge(one, status) for one in framework.controls)


def _judge(control: Control, status: dict[str, str]) -> Evidence:
    passed = tuple(id for id in control.checks if status.get(id) == "pass")
    against = tuple(id for id in control.checks if status.get(id) in ("fail", "warn"))
    if not control.checks:
        state = "site"
    elif against:
        state = "open"
    else:
        state = "evidence" if passed else "unseen"
    unjudged = tuple(id for id in control.checks if id not in (*passed, *against))
    return Evidence(control, state, passed, against, unjudged)


@cache
def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "controls.json").read_text(encoding="utf-8"))
    return content
