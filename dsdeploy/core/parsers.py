"""What a library's parser says of a file, as the id and values of a message: parsers speak English alone."""

import json
import re
from typing import Any

# the words of json.decoder, and of PyYAML's reader, scanner, parser, composer and constructor; the first that fits
_PROBLEMS = {
    r"Expecting value": "parser-no-value",
    r"Expecting property name": "parser-no-name",
    r"Illegal trailing comma": "parser-trailing-comma",
    r"Invalid control character": "parser-control",
    r"Unexpected UTF-8 BOM": "parser-bom",
    r"Expecting ':' delimiter|could not find expected ':'": "parser-no-colon",
    r"Unterminated string|found unexpected end of stream": "parser-open-quote",
    r"Invalid \\|found unknown escape character": "parser-escape",
    r"Extra data|but found another document": "parser-more",
    r".+ '<stream end>'": "parser-cut",
    r"Expecting ',' delimiter|expected ',' or": "parser-no-comma",
    r"unacceptable character #x(?P<code>\w+).*position (?P<position>\d+)": "parser-forbidden",
    r"found character '\\t'": "parser-tab",
    r"found character (?P<found>.+) that cannot start any token": "parser-character",
    r"mapping (values|keys) are not allowed": "parser-stray-colon",
    r"sequence entries are not allowed": "parser-stray-dash",
    r"expected <block end>": "parser-indentation",
    r"found undefined alias (?P<found>.+)": "parser-alias",
    r"could not determine a constructor for the tag (?P<found>.+)": "parser-tag",
    r"found unhashable key": "parser-key",
}


def problem_of(error: Exception) -> tuple[str, dict[str, Any]]:
    """A parser's own words are quoted where no message says them."""
    if isinstance(error, json.JSONDecodeError) and not error.doc[error.pos :].strip():
        return "parser-cut" if error.doc.strip() else "reason-empty", {}
    words = getattr(error, "problem", None) or str(error)  # YAML's marked errors say the place apart
    for pattern, id in _PROBLEMS.items():
        if found := re.match(pattern, words, re.DOTALL):
            return id, found.groupdict()
    return "parser-other", {"words": words}


def place_of(error: Exception) -> tuple[int, int] | None:
    """Line and column, from 1, where JSON or YAML is broken; YAML's errors are known by their mark, so that what reads
    no YAML does not load its library."""
    if isinstance(error, json.JSONDecodeError):
        return (error.lineno, error.colno) if error.doc.strip() else None
    mark = getattr(error, "problem_mark", None)
    return None if mark is None else (mark.line + 1, mark.column + 1)
