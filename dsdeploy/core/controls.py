"""Which controls of which rules the findings are evidence for, and which are the site's own duty. No certificate."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dsdeploy.core.findings import Finding
from dsdeploy.core.industries import Industry, Rule, find_industry, industries


@dataclass(frozen=True, slots=True)
class Control:
    """`title` is by language; `checks` give evidence for a part of it, none where only the site can.

    `verified` says that its number and subject were held against what the framework names.
    """

    id: str
    title: dict[str, str]
    checks: tuple[str, ...]
    verified: bool


@dataclass(frozen=True, slots=True)
class Framework:
    """`targets` are those it speaks of, none for all; `source` is where its text can be read, `held_against` what our
    numbers were read from, by language."""

    id: str
    title: dict[str, str]
    source: str
    held_against: dict[str, str]
    targets: tuple[str, ...]
    controls: tuple[Control, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """`state` is evidence (all its checks passed), partial (some did, others were not judged), open (one failed or
    warned), unseen (nothing was judged) or site."""

    control: Control
    state: str
    passed: tuple[str, ...]
    against: tuple[str, ...]
    unjudged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleEvidence:
    """`state` as of Evidence."""

    rule: Rule
    state: str


@cache
def frameworks() -> tuple[Framework, ...]:
    return tuple(
        Framework(
            one["id"], one["title"], one["source"], one["held_against"], tuple(one["targets"]),
            tuple(_control(each) for each in one["controls"]),
        )
        for one in _content()["frameworks"]
    )  # fmt: skip


def _control(entry: dict[str, Any]) -> Control:
    return Control(entry["id"], entry["title"], tuple(entry["checks"]), entry["verified"])


def frameworks_of(industry: str, target: str) -> tuple[Framework, ...]:
    """Those of an industry's rules that speak of such a target; an unknown industry is read as general."""
    profiles = _content()["industries"]
    wanted = profiles.get(industry, profiles["general"])
    return tuple(one for one in frameworks() if one.id in wanted and (not one.targets or target in one.targets))


def judge_controls(framework: Framework, findings: tuple[Finding, ...]) -> tuple[Evidence, ...]:
    status = {one.id: one.status for one in findings}
    return tuple(_judge(one, status) for one in framework.controls)


def judge_rules(industry: str, findings: tuple[Finding, ...]) -> tuple[RuleEvidence, ...]:
    """What the findings say of each rule of an industry, by the controls that it comes down to: open where one of them
    is, partial where they differ, the site's own duty where no check speaks of any."""
    status = {one.id: one.status for one in findings}
    known = {f"{one.id} {each.id}": each for one in frameworks() for each in one.controls}
    return tuple(
        RuleEvidence(rule, _together({_judge(known[id], status).state for id in rule.controls}))
        for rule in _industry(industry).controls
    )


def _industry(id: str) -> Industry:
    return next((one for one in industries() if one.id == id), find_industry("general"))


def _together(states: set[str]) -> str:
    if "open" in states:
        return "open"
    if len(states) > 1:
        return "partial" if states & {"evidence", "partial"} else "unseen"
    return next(iter(states), "site")


def _judge(control: Control, status: dict[str, str]) -> Evidence:
    passed = tuple(id for id in control.checks if status.get(id) == "pass")
    against = tuple(id for id in control.checks if status.get(id) in ("fail", "warn"))
    unjudged = tuple(id for id in control.checks if id not in (*passed, *against))
    if not control.checks:
        state = "site"
    elif against:
        state = "open"
    elif passed:
        state = "partial" if unjudged else "evidence"
    else:
        state = "unseen"
    return Evidence(control, state, passed, against, unjudged)


@cache
def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "controls.json").read_text(encoding="utf-8"))
    return content
