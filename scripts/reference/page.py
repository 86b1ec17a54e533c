"""Markdown that all pages share."""

from collections.abc import Iterable


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *([cell(one) for one in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def cell(value: object) -> str:
    """One line that a table of Markdown shows as it is."""
    words = "–" if value is None or value == "" else str(value)
    return words.replace("|", "\\|").replace("<", "&lt;").replace("\n", "<br>")


def code(*words: object) -> str:
    return ", ".join(f"`{one}`" for one in words if one not in (None, ""))
