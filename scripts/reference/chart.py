"""The chart's values: its JSON Schema, with the defaults of values.yaml."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from scripts.reference.page import code, table

_CHART = Path(__file__).parents[2] / "helm/dsdeploy"
_WORDS = {
    "en": ("Values of the chart", "Value", "Type", "Default", "Meaning",
           "`dsdeploy render --target kubernetes` writes them from a plan; the chart also stands alone, with `helm lint` and "
           "`helm template`. The schema refuses every value that is not here. None holds a secret, only names of Secrets. "
           "How a release comes into a cluster: [Kubernetes](../kubernetes.md)."),
    "zh": ("Chart 的值", "值", "类型", "默认", "含义",
           "`dsdeploy render --target kubernetes` 由方案写出这些值；chart 也可单独用 `helm lint` 与 `helm template` 使用。Schema 拒绝此处"
           "没有的值。任何值都不含机密，只有 Secret 的名称。如何安装到集群见 [Kubernetes](../kubernetes.md)。"),
}  # fmt: skip


def page(language: str) -> str:
    title, *head, about = _WORDS[language]
    parts = [f"# {title}\n", about + "\n"]
    defaults = yaml.safe_load((_CHART / "values.yaml").read_text(encoding="utf-8"))
    for name, part in _schema()["properties"].items():
        part = _resolved(part)
        parts.append(f"## {name}\n\n{_said(part, language)}\n")
        rows = (
            (code(path), _kind(one), _default(path, defaults), _said(one, language))
            for path, one in _leaves(name, part)
        )
        parts.append(table(head, rows))
    return "\n".join(parts)


def untranslated() -> list[str]:
    found = [part for name, one in _schema()["properties"].items() for _, part in _leaves(name, _resolved(one))]
    words = [one.get("description", "") for one in (*found, *map(_resolved, _schema()["properties"].values()))]
    return sorted({one for one in words if one and one not in _chinese()})


@cache
def _schema() -> dict[str, Any]:
    return json.loads((_CHART / "values.schema.json").read_text(encoding="utf-8"))


@cache
def _chinese() -> dict[str, str]:
    return json.loads(Path(__file__).with_name("chart.zh.json").read_text(encoding="utf-8"))


def _resolved(part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        known = _schema()["$defs"][part["$ref"].rpartition("/")[2]]
        part = {**known, **{key: value for key, value in part.items() if key != "$ref"}}
    return part


def _leaves(path: str, part: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, one in part.get("properties", {}).items():
        one, below = _resolved(one), f"{path}.{name}"
        if one.get("properties"):
            yield from _leaves(below, one)
            continue
        yield below, one
        yield from _leaves(f"{below}[]", _resolved(one.get("items", {})))


def _kind(part: dict[str, Any]) -> str:
    if "enum" in part:
        return code(*(json.dumps(one) for one in part["enum"]))
    if "const" in part:
        return code(json.dumps(part["const"]))
    kinds = part.get("type", "")
    return kinds if isinstance(kinds, str) else " | ".join(kinds)


def _default(path: str, defaults: Any) -> str:
    for name in path.split(".")[:]:
        if not isinstance(defaults, dict) or name not in defaults:
            return ""
        defaults = defaults[name]
    return code(json.dumps(defaults))


def _said(part: dict[str, Any], language: str) -> str:
    words = part.get("description", "")
    return _chinese().get(words, words) if language == "zh" else words
