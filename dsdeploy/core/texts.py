"""What a person reads, as data: a message id with its values, rendered late in the reader's language."""

import errno
import json
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from dsdeploy.core.parsers import place_of, problem_of

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Text:
    """One message: `id` names an entry in `data/messages/`, `values` fill its braces (a Text in the same language)."""

    id: str
    values: dict[str, Any] = field(default_factory=dict)

    def render(self, language: str) -> str:
        """The message in `language` ("en" or "zh"). Raises KeyError for an id or value that is missing."""
        values = {name: _said(one, language, quoted=name == "reason") for name, one in self.values.items()}
        return catalogue()[self.id][language].format(**values)


def text(id: str, /, **values: Any) -> Text:
    """An error among the values stands for the reason that it gives."""
    return Text(id, {name: _why(one) if isinstance(one, Exception) else one for name, one in values.items()})


class Malformed(ValueError):
    """What was given cannot be: why, and the place in it where one is known. `str` is English, for logs."""

    def __init__(self, reason: Text, place: str = "") -> None:
        super().__init__(reason, place)
        self.reason = text("reason-at", place=place, reason=reason) if place else reason

    def __str__(self) -> str:
        return self.reason.render("en")


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


def _said(value: Any, language: str, *, quoted: bool) -> Any:
    """A value in the reader's language where it has one: a message, or the operating system's own word for an error.

    Of what is `quoted` from a library, what it means stands before its own words, which a search will be made for.
    """
    if isinstance(value, Text):
        return value.render(language)
    if not isinstance(value, str):
        return value
    if id := _system_ids().get(value):
        return catalogue()[id][language]
    if not quoted or language == "en":
        return value
    from dsdeploy.core.library_words import library_message

    meaning = library_message(value)
    return value if meaning is None else f"{catalogue()[meaning][language]}（{value}）"


def _why(error: Exception) -> Text | str:
    if isinstance(error, Malformed):
        return error.reason
    if isinstance(error, UnicodeDecodeError):
        return text("reason-encoding", byte=error.start + 1, encoding=error.encoding.upper())
    if isinstance(error, RecursionError):
        return text("reason-too-deep")
    if isinstance(error, KeyError):
        return Malformed(text("reason-missing"), str(error.args[0])).reason
    if isinstance(error, TypeError | AttributeError):
        return text("reason-garbled")
    id, values = problem_of(error)
    if place := place_of(error):
        return text("reason-at-line", line=place[0], column=place[1], reason=Text(id, values))
    if id == "parser-other" and (isinstance(error, OSError) or not isinstance(error, ValueError)):  # TLS's are both
        return _system_word(error) or (str(error).splitlines() or [type(error).__name__])[0]
    return Text(id, values)


def _system_word(error: BaseException | None) -> str | None:
    """What the operating system said, below whatever libraries wrapped it in words of their own."""
    while error is not None and not (isinstance(error, OSError) and error.strerror):
        error = error.__cause__ or error.__context__
    return None if error is None else str(error.strerror)


_RESOLVER = {  # gai_strerror(3) of glibc, which Python does not offer
    "Name or service not known": "resolver-no-name",
    "No address associated with hostname": "resolver-no-address",
    "Temporary failure in name resolution": "resolver-again",
}


@cache
def _system_ids() -> dict[str, str]:
    """What the operating system says → the message that says it, of the usual errors."""
    ids = ((os.strerror(number), f"system-{code.lower()}") for number, code in errno.errorcode.items())
    return {words: id for words, id in ids if id in catalogue()} | _RESOLVER


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
