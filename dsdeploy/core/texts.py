"""What a person reads, as data: a message id with its values, rendered late in the reader's language."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Text:
    """One message: `id` names an entry in `data/messages/`, `values` fill its braces (a Text in the same language)."""

    id: str
    values: dict[str, Any] = field(default_factory=dict)

    def render(self, language: str) -> str:
        """The message in `language` ("en" or "zh"). Raises KeyError for an id or value that is missing."""
        values = {name: one.render(language) if isinstance(one, Text) else one for name, one in self.values.items()}
        return catalogue()[self.id][language].format(**values)


def text(id: str, /, **values: Any) -> Text:
    return Text(id, values)


RULES = {
    "memory": text("rule-memory"),
    "kv-cache": text("rule-kv-cache"),
    "disk": text("rule-disk"),
    "context": text("rule-context"),
    "format": text("rule-format"),
    "attention": text("rule-attention"),
    "speed": text("rule-speed"),
    "first-token": text("rule-first-token"),
    "quality": text("rule-quality"),
    "devices": text("rule-devices"),
    "engine": text("rule-engine"),
}
TERMS = {  # of one accelerator's memory, by the names that sizing gives them
    "context": text("page-term-context"),
    "communication": text("page-term-communication"),
    "communication across nodes": text("page-term-network"),
    "graphs": text("page-term-graphs"),
    "activations": text("page-term-activations"),
    "compute": text("page-term-activations"),
    "dynamic": text("page-term-dynamic"),
    "offloaded layer": text("page-term-offloaded"),
    "other": text("page-term-other"),
    "reserve": text("page-term-reserve"),
}
CHANGES = {
    "devices": "change-devices",
    "nodes": "change-nodes",
    "context": "change-context",
    "users": "change-users",
}  # message ids: their numbers are a change's own


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Every message: id → language → template."""
    content: dict[str, dict[str, str]] = {}
    for area in (Path(__file__).parent / "data" / "messages").iterdir():
        content |= json.loads(area.read_text(encoding="utf-8"))
    return content


def choose_language(wanted: str | None, environment: dict[str, str]) -> str:
    """`wanted` if given, else the locale's (LC_ALL before LC_MESSAGES before LANG), else English."""
    if wanted in LANGUAGES:
        return str(wanted)
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            return "zh" if environment[name].lower().startswith("zh") else "en"
    return "en"
