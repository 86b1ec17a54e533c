"""The dated price data, and a user's own figures in its place."""

import json
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from dsdeploy.core.accelerators import accelerators
from dsdeploy.core.cost.money import CURRENCIES
from dsdeploy.core.cost.own import CPU
from dsdeploy.core.cost.values import AcceleratorPrice, ApiPrice, Figure, Prices, Region, TokenPrices

_FIGURE = ("low", "expected", "high", "unit", "date", "source")
_DIVISORS = ("depreciation_years", "cny_per_usd", "purchase_devices")
_NO_PRICES: dict[str, Any] = {"purchase": None, "purchase_devices": 1, "rent_per_hour": None, "power_w": None}
_OPEN: dict[str, Any] = {  # what a new entry of an open mapping is merged into
    "accelerators": _NO_PRICES,
    "sources": "",
}


@cache
def load_prices() -> Prices:
    return _prices(_data())


def override_prices(own: object) -> Prices:
    """The price data with a user's figures in place of ours: the same keys, as deep as needed.

    A figure may be given as one number where the unit stays, or as a mapping with `expected` (and `unit` where none was
    known). Raises ValueError, which names the place and the nearest key.
    """
    if not isinstance(own, dict):
        raise ValueError(f"expected a mapping, found {type(own).__name__}")
    merged = _merge(_data(), own, "")
    try:
        return _prices(merged)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{error}") from error


def _data() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (Path(__file__).parents[1] / "data" / "prices.json").read_text(encoding="utf-8")
    )
    return content


def _merge(ours: Any, own: Any, place: str) -> Any:
    if _is_figure(ours) or (ours is None and place.startswith("accelerators.")):
        return _figure(ours, own, place)
    if isinstance(ours, dict):
        if not isinstance(own, dict):
            raise ValueError(f"{place}: expected a mapping, found {own!r}")
        return ours | {
            key: _merge(_known(ours, key, place), one, f"{place}.{key}".strip(".")) for key, one in own.items()
        }
    if isinstance(ours, bool | str):
        if type(own) is not type(ours):
            raise ValueError(f"{place}: expected {type(ours).__name__}, found {own!r}")
        return own
    return _number(own, place)


def _known(ours: dict[str, Any], key: object, place: str) -> Any:
    if key in ours:
        return ours[key]
    names = list(ours)
    if place == "accelerators":
        names = [*(spec.id for spec in accelerators()), CPU]
    if key in names or place == "sources":
        return _OPEN[place]
    near = get_close_matches(str(key), names, n=1, cutoff=0)
    raise ValueError(f"{place}.{key}".strip(".") + f": unknown key; nearest is {near[0]}")


def _figure(ours: Any, own: Any, place: str) -> dict[str, Any]:
    if not isinstance(own, dict):
        own = {"expected": _number(own, place)}
    for key in own:
        if key not in _FIGURE:
            raise ValueError(f"{place}.{key}: unknown key; nearest is {get_close_matches(key, _FIGURE, 1, 0)[0]}")
    if "expected" not in own:
        raise ValueError(f"{place}.expected: missing")
    expected = _number(own["expected"], f"{place}.expected")
    unit = own.get("unit") or (ours or {}).get("unit") or ("W" if place.endswith("power_w") else "")
    money = place.startswith("accelerators.") and not place.endswith("power_w")
    if money and unit not in CURRENCIES:
        raise ValueError(f"{place}.unit: expected {' or '.join(CURRENCIES)}, found {unit!r}")
    low, high = (_number(own.get(end, expected), f"{place}.{end}") for end in ("low", "high"))
    if not (low <= expected <= high or low >= expected >= high):
        raise ValueError(f"{place}: expected {expected} is not between {low} and {high}")
    return {
        "low": low,
        "expected": expected,
        "high": high,
        "unit": unit,
        "date": str(own.get("date", "")),
        "source": str(own.get("source", "own")),
    }


def _number(own: object, place: str) -> float:
    if isinstance(own, bool) or not isinstance(own, int | float) or not 0 <= own < float("inf"):
        raise ValueError(f"{place}: expected a number of at least 0, found {own!r}")
    if own == 0 and any(name in place for name in _DIVISORS):
        raise ValueError(f"{place}: cannot be 0")
    return own


def _is_figure(value: object) -> bool:
    return isinstance(value, dict) and {"low", "expected", "high"} <= set(value)


def _read(value: Any) -> Any:
    return Figure(**value) if _is_figure(value) else value


def _prices(content: dict[str, Any]) -> Prices:
    regions = {
        id: Region(**{key: _read(one) for key, one in entry.items()}) for id, entry in content["regions"].items()
    }
    api = tuple(
        ApiPrice(
            model=model, **entry | {"off_peak": {unit: TokenPrices(**one) for unit, one in entry["off_peak"].items()}}
        )
        for model, entry in content["api"].items()
    )
    priced = {
        id: AcceleratorPrice(**{key: _read(one) for key, one in entry.items()})
        for id, entry in content["accelerators"].items()
    }
    figures = {key: _read(value) for key, value in content.items() if _is_figure(value)}
    return Prices(regions=regions, api=api, accelerators=priced, sources=content["sources"], **figures)
