"""What each industry's rules ask of a private service, as defaults of security and evidence: never prices."""

import json
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from dsdeploy.core.errors import UnknownIndustry
from dsdeploy.core.texts import text


@dataclass(frozen=True, slots=True)
class Rule:
    """A law, a standard's clause, or our own default. `words` is by language; `where` is empty for our own.

    `controls` are the controls of core/controls.py that it comes down to, as "framework id"; none where no check can
    speak of it.
    """

    id: str
    words: dict[str, str]
    where: str
    controls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """`digests` and `signatures` are the algorithms wanted (sha256, sm3; ed25519, sm2). `prompt_logging` is whether
    prompts and answers themselves may be kept. `target` is None where the industry has no habit."""

    tls: bool
    mutual_tls: bool
    audit_log: bool
    prompt_logging: bool
    log_retention_days: int
    digests: tuple[str, ...]
    signatures: tuple[str, ...]
    signed_bundle: bool
    offline: bool
    target: str | None


@dataclass(frozen=True, slots=True)
class Industry:
    """`title` is by language. `rules` says of each setting what it follows from; `controls` are what a report maps
    its findings to."""

    id: str
    title: dict[str, str]
    settings: Settings
    rules: dict[str, tuple[Rule, ...]]
    controls: tuple[Rule, ...]


@cache
def industries() -> tuple[Industry, ...]:
    content = json.loads((Path(__file__).parent / "data" / "industries.json").read_text(encoding="utf-8"))
    rules = {
        id: Rule(id, {"en": one["en"], "zh": one["zh"]}, one["where"], tuple(one.get("controls", ())))
        for id, one in content["rules"].items()
    }
    return tuple(_industry(entry, rules) for entry in content["industries"])


def find_industry(name: str) -> Industry:
    """The profile with this id. Raises UnknownIndustry, which names the nearest."""
    by_id = {one.id: one for one in industries()}
    if found := by_id.get(name.strip().lower()):
        return found
    near = get_close_matches(name.strip().lower(), by_id, n=1, cutoff=0.5) or by_id
    raise UnknownIndustry(text("unknown-industry", name=name), hint=text("known-names", names=", ".join(near)))


def _industry(entry: dict[str, Any], rules: dict[str, Rule]) -> Industry:
    settings: dict[str, Any] = {
        name: tuple(one) if isinstance(one, list) else one for name, one in entry["settings"].items()
    }
    named = {setting: tuple(rules[id] for id in ids) for setting, ids in entry["rules"].items()}
    controls = tuple(rules[id] for id in entry["controls"])
    return Industry(entry["id"], entry["title"], Settings(**settings), named, controls)
