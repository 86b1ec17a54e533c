"""Fills templates, each word quoted as the program that reads it wants it."""

import json
from typing import Any

import jinja2

from dsdeploy.adapters.templates import template


def filled(name: str, /, **values: Any) -> str:
    """The template `name`. A value that is missing is an error, not an empty word."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    environment.filters |= {"word": _word, "words": lambda many: f"[{', '.join(map(_word, many))}]"}
    return environment.from_string(template(name)).render(values)


def systemd_word(word: str) -> str:
    """A path as systemd.unit(5) reads it back: specifiers doubled, and nothing that ends the line."""
    return word.replace("%", "%%").replace("\n", "\\n")


def _word(value: str) -> str:
    """A YAML string that Compose reads back as `value`: JSON's quoting, and each $ doubled against interpolation."""
    return json.dumps(value.replace("$", "$$"))
