"""The geometry of a report's plots: dots of a distribution, a curve over users, measured against predicted."""

from dataclasses import dataclass
from math import floor, log10

from dsdeploy.core.band import Band
from dsdeploy.core.percentiles import percentile

_WIDTH, _LEFT, _RIGHT = 640, 110, 24
_ROW, _TOP, _BOTTOM = 34, 8, 26
_TICKS = 5


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    y: float
    dots: tuple[float, ...]
    median_x: float
    median: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Lengths are SVG user units; `ticks` are places on the axis with their labels."""

    width: int
    height: int
    left: int
    right: int
    axis_y: int
    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, str], ...]


def dot_plot(groups: list[tuple[str, list[float]]]) -> Plot | None:
    """None where there is nothing to show. Values are not negative."""
    groups = [(label, values) for label, values in groups if values]
    if not groups:
        return None
    step = tick_step(max(max(values) for _, values in groups))
    end = step * _TICKS

    def x(value: float) -> float:
        return round(_LEFT + value / end * (_WIDTH - _LEFT - _RIGHT), 1)

    rows = tuple(
        Row(label, _TOP + _ROW * (index + 0.5), tuple(map(x, values)), x(middle), _short(middle))
        for index, (label, values) in enumerate(groups)
        for middle in (percentile(values, 50),)
    )
    axis_y = _TOP + _ROW * len(rows)
    ticks = tuple((x(step * number), f"{step * number:,.6g}") for number in range(_TICKS + 1))
    return Plot(_WIDTH, axis_y + _BOTTOM, _LEFT, _WIDTH - _RIGHT, axis_y, rows, ticks)


def _short(value: float) -> str:
    """Three digits, and never a power of ten that a reader has to undo."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class Curve:
    """A measured line over the users at once, with its axis; `band` is a predicted range at one of them, or None."""

    width: int
    height: int
    left: int
    right: int
    top: int
    axis_y: float
    points: tuple[tuple[float, float, str, str], ...]
    ticks: tuple[tuple[float, str], ...]
    band: tuple[float, float, float] | None


_CURVE_HEIGHT = 220


def curve(values: list[tuple[int, float]], predicted: tuple[int, Band] | None) -> Curve | None:
    """Places by rank on the x axis, from zero on the y axis; None for fewer than two points."""
    if len(values) < 2:
        return None
    ordered = sorted(values)
    highest = max(value for _, value in ordered)
    if predicted and predicted[1].high < 10 * max(highest, 1e-9):
        highest = max(highest, predicted[1].high)
    step = tick_step(highest)
    axis_y = _CURVE_HEIGHT - _BOTTOM
    width = (_WIDTH - _LEFT - _RIGHT) / len(ordered)

    def y(value: float) -> float:
        return round(axis_y - min(value, step * _TICKS) / (step * _TICKS) * (axis_y - _TOP), 1)

    places = {at_once: round(_LEFT + width * (number + 0.5), 1) for number, (at_once, _) in enumerate(ordered)}
    band = None
    if predicted and predicted[0] in places:
        band = (places[predicted[0]], y(predicted[1].high), y(predicted[1].low))
    points = tuple((places[at_once], y(value), str(at_once), _short(value)) for at_once, value in ordered)
    ticks = tuple((y(step * number), f"{step * number:,.6g}") for number in range(_TICKS + 1))
    return Curve(_WIDTH, _CURVE_HEIGHT, _LEFT, _WIDTH - _RIGHT, _TOP, axis_y, points, ticks, band)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One quantity's measured value against its predicted range, each on its own axis from zero."""

    label: str
    y: float
    low_x: float
    high_x: float
    value_x: float
    value: str
    limits: str


def comparisons(rows: list[tuple[str, float, Band, str]]) -> tuple[int, int, tuple[Comparison, ...]]:
    """Width, height and rows of (label, measured, predicted, unit)."""
    shown = []
    for number, (label, value, band, unit) in enumerate(rows):
        low, high = min(band.low, band.high), max(band.low, band.high)
        end = max(value, min(high, 3 * max(value, low))) * 1.15 or 1.0

        def x(one: float, end: float = end) -> float:
            return round(_LEFT + 60 + min(one / end, 1.0) * (_WIDTH - _LEFT - 60 - _RIGHT), 1)

        limits = f"{_short(low)} … {_short(high)} {unit}"
        shown.append(
            Comparison(label, _TOP + 44 * (number + 0.5), x(low), x(high), x(value), f"{_short(value)} {unit}", limits)
        )
    return _WIDTH, _TOP + 44 * len(shown) + 8, tuple(shown)


def tick_step(largest: float, ticks: int = _TICKS) -> float:
    """The smallest round distance of ticks with which an axis of so many holds `largest`."""
    least = largest / ticks or 1.0
    power = 10.0 ** floor(log10(least))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor * ticks >= largest)
