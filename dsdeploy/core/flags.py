"""The options that an engine's release knows, as recorded from that release, and what is wrong with a command line."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from dsdeploy.core.errors import UnknownEngineVersion
from dsdeploy.core.texts import text

_DATA = Path(__file__).parent / "data" / "flags"


@dataclass(frozen=True, slots=True)
class Option:
    """`type` is int, float, str, json or bool (takes no value), None where the record does not say."""

    names: tuple[str, ...]
    type: str | None
    choices: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class FlagTable:
    """`source` says how the options were read from the release."""

    engine: str
    version: str
    source: str
    options: dict[str, Option]

    def faults(self, words: tuple[str, ...]) -> Iterator[str]:
        """What the release would refuse in these options and values: unknown names, illegal values. Variables pass."""
        position = 0
        while position < len(words):
            name, joined, value = words[position].partition("=")
            position += 1
            option = self.options.get(name)
            if option is None:
                near = get_close_matches(name, self.options, n=1)
                yield f"{name}: unknown to {self.engine} {self.version}" + (f", nearest {near[0]}" if near else "")
                continue
            if option.type == "bool":
                continue
            if not joined:
                if position == len(words):
                    yield f"{name}: no value"
                    break
                value = words[position]
                position += 1
            if "$" not in value and not _legal(value, option):
                yield f"{name}: {value} is not legal"


def flag_table(engine: str, version: str) -> FlagTable:
    """The recorded options of this release. Raises UnknownEngineVersion, which names the nearest recorded ones."""
    if version not in recorded_versions(engine):
        near = ", ".join(nearest_versions(version, recorded_versions(engine)))
        raise UnknownEngineVersion(
            text("unknown-engine-version", engine=engine, version=version),
            hint=text("unknown-engine-version-hint", near=near or "-"),
        )
    return _load(engine, version)


@cache
def recorded_versions(engine: str) -> tuple[str, ...]:
    names = (
        file.name.removeprefix(f"{engine}-").removesuffix(".json") for file in _DATA.glob(f"{engine}-[0-9b]*.json")
    )
    return tuple(sorted(names, key=_numbers))


def nearest_versions(version: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """The newest known version that is not newer than this one, and the oldest that is."""
    before = [one for one in known if _numbers(one) <= _numbers(version)]
    after = [one for one in known if _numbers(one) > _numbers(version)]
    return (*before[-1:], *after[:1])


def _numbers(version: str) -> tuple[int, ...]:
    digits = "".join(one if one.isdigit() else " " for one in version)
    return tuple(int(one) for one in digits.split())


def _legal(value: str, option: Option) -> bool:
    if option.choices is not None:
        return value in option.choices
    try:
        if option.type == "int":
            int(value)
        elif option.type == "float":
            float(value)
        elif option.type == "json":
            json.loads(value)
    except ValueError:
        return False
    return True


@cache
def _load(engine: str, version: str) -> FlagTable:
    content = json.loads((_DATA / f"{engine}-{version}.json").read_text(encoding="utf-8"))
    options: dict[str, Option] = {}
    for row in content["options"]:
        choices = tuple(row["choices"]) if row["choices"] is not None else None
        for name in row["names"]:
            options.setdefault(name, Option(tuple(row["names"]), row["type"], choices))
    return FlagTable(engine, version, content["source"], options)
