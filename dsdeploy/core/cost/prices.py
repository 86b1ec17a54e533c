"""The dated price data, and a user's own figures in its place."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from dsdeploy.core.accelerators import accelerators
from dsdeploy.core.cost.money import CURRENCIES
from dsdeploy.core.cost.own import CPU
from dsdeploy.core.cost.values import AcceleratorPrice, ApiPrice, Figure, Prices, Region, TokenPrices
from dsdeploy.core.documents import demand_mapping, kind_name, unexpected, unknown_key
from dsdeploy.core.texts import Malformed, text

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
    known). Raises Malformed, which names the place and the nearest key.
    """
    merged = _merge(_data(), demand_mapping(own), "")
    try:
        return _prices(merged)
    except (KeyError, TypeError) as error:
        raise Malformed(text("reason-garbled")) from error


def _data() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (Path(__file__).parents[1] / "data" / "prices.json").read_text(encoding="utf-8")
    )
    return content


def _merge(ours: Any, own: Any, place: str) -> Any:
    if _is_figure(ours) or (ours is None and place.startswith("accelerators.")):
        return _figure(ours, own, place)
    if isinstance(ours, dict):
        return ours | {
            key: _merge(_known(ours, key, place), one, f"{place}.{key}".strip("."))
            for key, one in demand_mapping(own, place).items()
        }
    if isinstance(ours, bool | str):
        if type(own) is not type(ours):
            raise unexpected(place, kind_name(type(ours)), own)
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
    raise unknown_key(place, key, names)


def _figure(ours: Any, own: Any, place: str) -> dict[str, Any]:
    if not isinstance(own, dict):
        own = {"expected": _number(own, place)}
    for key in own:
        if key not in _FIGURE:
            raise unknown_key(place, key, _FIGURE)
    if "expected" not in own:
        raise Malformed(text("reason-missing"), f"{place}.expected")
    expected = _number(own["expected"], f"{place}.expected")
    unit = own.get("unit") or (ours or {}).get("unit") or ("W" if place.endswith("power_w") else "")
    money = place.startswith("accelerators.") and not place.endswith("power_w")
    if money and unit not in CURRENCIES:
        raise unexpected(f"{place}.unit", " / ".join(CURRENCIES), unit)
    low, high = (_number(own.get(end, expected), f"{place}.{end}") for end in ("low", "high"))
    if not (low <= expected <= high or low >= expected >= high):
        raise Malformed(text("reason-not-between", expected=expected, low=low, high=high), place)
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
        raise unexpected(place, text("kind-number-from-0"), own)
    if own == 0 and any(name in place for name in _DIVISORS):
        raise Malformed(text("reason-zero"), place)
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
