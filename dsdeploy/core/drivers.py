"""Which driver an engine's runtime needs at least: data with sources."""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DriverNeed:
    vendor: str
    runtime: str
    driver_at_least: str
    engine: str
    sources: tuple[str, ...]


@cache
def driver_needs() -> tuple[DriverNeed, ...]:
    content = json.loads((Path(__file__).parent / "data" / "drivers.json").read_text(encoding="utf-8"))
    named = content["sources"]
    return tuple(
        DriverNeed(**one | {"sources": tuple(named[id] for id in one["sources"])}) for one in content["runtimes"]
    )


def engines_out_of_reach(vendor: str, driver: str) -> tuple[DriverNeed, ...]:
    """What this vendor's driver is too old for; nothing where no need is known."""
    return tuple(one for one in driver_needs() if one.vendor == vendor and _parts(driver) < _parts(one.driver_at_least))


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
