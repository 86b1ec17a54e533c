"""The geometry of a dot plot: one row a group, one dot a value, on a common axis from zero."""

from dataclasses import dataclass
from math import floor, log10

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
        Row(label, _TOP + _ROW * (index + 0.5), tuple(map(x, values)), x(middle), f"{middle:,.3g}")
        for index, (label, values) in enumerate(groups)
        for middle in (percentile(values, 50),)
    )
    axis_y = _TOP + _ROW * len(rows)
    ticks = tuple((x(step * number), f"{step * number:,.6g}") for number in range(_TICKS + 1))
    return Plot(_WIDTH, axis_y + _BOTTOM, _LEFT, _WIDTH - _RIGHT, axis_y, rows, ticks)


def tick_step(largest: float, ticks: int = _TICKS) -> float:
    """The smallest round distance of ticks with which an axis of so many holds `largest`."""
    least = largest / ticks or 1.0
    power = 10.0 ** floor(log10(least))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor * ticks >= largest)
