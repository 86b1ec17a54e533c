"""How a plan's figures are written."""

from dsdeploy.adapters.reports.page import Items, Section
from dsdeploy.core.accelerators import product_name
from dsdeploy.core.band import Band
from dsdeploy.core.plan import Plan, Rejected
from dsdeploy.core.texts import RULES, Text, text

GIB = 1 << 30
_NO_NUMBER = "–"
_TOKENS = {"tokens": "amount-tokens", "tokens/s": "amount-tokens-per-s"}
_UNITS = {
    "memory": (GIB, "GiB"),
    "disk": (GIB, "GiB"),
    "kv-cache": (1, "tokens"),
    "context": (1, "tokens"),
    "first-token": (1, "s"),
    "speed": (1, "tokens/s"),
    "quality": (1, "%"),
}


def hardware(plan: Plan) -> str:
    return product_name("cpu") if plan.device == "cpu" else f"{plan.deployment.devices} × {product_name(plan.device)}"


def shape(plan: Plan) -> str:
    one = plan.deployment
    sizes = (("TP", one.tensor_parallel), ("PP", one.pipeline_parallel), ("DP", one.data_parallel))
    said = [f"{name}{size}" for name, size in sizes if size > 1] or ["TP1"]
    return " ".join([*said, *(["EP"] if one.expert_parallel else [])])


def listed(title: Text, lines: tuple[Text, ...], otherwise: Text) -> Section:
    return Section(title, (Items(lines or (otherwise,)),))


def reason(one: Rejected) -> Text:
    needed, available = amounts(one)
    name = f"{one.model_id} · {one.format}"
    if needed == _NO_NUMBER:
        return text("page-why-not-rule", name=name, rule=rule(one))
    return text("page-why-not", name=name, rule=rule(one), needed=needed, available=available)


def rule(one: Rejected) -> Text | str:
    return RULES.get(one.rule, one.rule)


def amounts(one: Rejected) -> tuple[str | Text, str | Text]:
    if one.rule not in _UNITS or (one.needed == 0 and one.available == 0):
        return _NO_NUMBER, _NO_NUMBER
    size, unit = _UNITS[one.rule]
    return _amount(digits(one.needed / size), unit), _amount(digits(one.available / size), unit)


def banded(band: Band | None, unit: str) -> tuple[str | Text, str | Text]:
    if band is None:
        return text("page-unknown"), ""
    return _amount(digits(band.expected), unit), _amount(_spread(band), unit)


def _amount(figure: str, unit: str) -> str | Text:
    return text(_TOKENS[unit], amount=figure) if unit in _TOKENS else f"{figure} {unit}"


def ranged(band: Band | None) -> str:
    return _NO_NUMBER if band is None else f"{digits(band.expected)} ({_spread(band)})"


def _spread(band: Band) -> str:
    """Lower number first: of a time, the optimistic end is the lower."""
    return " – ".join(digits(end) for end in sorted((band.low, band.high)))


def digits(value: float) -> str:
    """Three digits, or whole numbers from a hundred on."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def ends(band: Band | None, digits: int = 0) -> tuple[str, str, str]:
    if band is None:
        return _NO_NUMBER, _NO_NUMBER, _NO_NUMBER
    return (number(band.low, digits), number(band.expected, digits), number(band.high, digits))


def number(value: float | None, digits: int) -> str:
    return _NO_NUMBER if value is None else f"{value:,.{digits}f}"


def money(value: float) -> str:
    return f"{value:,.0f}"


def percent(value: float | None) -> str:
    return _NO_NUMBER if value is None else f"{value:.1f} %"
