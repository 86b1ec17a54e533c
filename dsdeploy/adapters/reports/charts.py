"""The geometry of a plan's charts: shapes in SVG user units, for a page of one width. CSS classes give the colours."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor

from dsdeploy.adapters.reports.page import Lines, Point, Scatter, StackedBars, Tornado, spoken
from dsdeploy.adapters.reports.plots import tick_step
from dsdeploy.core.texts import Text

_LINE = 18  # distance of two lines of text
_BAR, _GAP = 22, 12
_PLOT = 260
_COLOURS = 6
_BOLD = 1.1  # over the width of ordinary type


@dataclass(frozen=True, slots=True)
class Shape:
    """`kind` is rect (x, y, width, height), line (x1, y1, x2, y2), circle (x, y, r), path and area (their points), or
    text (x, y), which says `words`."""

    kind: str
    numbers: tuple[float, ...]
    style: str
    words: str = ""

    @property
    def points(self) -> str:
        return " ".join(f"{x:g},{y:g}" for x, y in zip(self.numbers[::2], self.numbers[1::2], strict=True))


@dataclass(frozen=True, slots=True)
class Chart:
    width: int
    height: float
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class _Axis:
    """From `origin` over so many ticks, along a length of the page."""

    start: float
    length: float
    step: float
    ticks: int
    origin: float = 0.0

    def at(self, value: float) -> float:
        return round(self.start + (value - self.origin) / (self.step * self.ticks) * self.length, 1)

    def labels(self) -> list[tuple[float, str]]:
        values = [self.origin + self.step * n for n in range(self.ticks + 1)]
        return [(self.at(value), short(value)) for value in values]


def short(number: float) -> str:
    """A tick's label: thousands as K, millions as M, thousand millions as G."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if abs(number) >= 10 * size or (abs(number) >= size and unit != "K"):
            return f"{number / size:,.6g}{unit}"
    return f"{number:,.6g}"


def text_width(words: str) -> float:
    """About how wide 12 px type sets this: a Chinese character is a square, a Latin letter just over half of one."""
    return sum(12.0 if ord(letter) > 0x2E7F else 6.8 for letter in words)


def stacked_bars(spec: StackedBars, language: str, width: int) -> Chart:
    labels = [spoken(bar.label, language) for bar in spec.bars]
    left = min(max(map(text_width, labels), default=0) + 12, width * 0.36)
    axis = _axis(max(max(sum(size for _, size in bar.parts), bar.limit) for bar in spec.bars), left, width)
    names = [name for bar in spec.bars for name, _ in bar.parts]
    order = {name.id: index % _COLOURS for index, name in enumerate(dict((name.id, name) for name in names).values())}
    legend, top = _legend(
        [(f"c{order[id]}", spoken(next(n for n in names if n.id == id), language)) for id in order]
        + [("limit", spoken(spec.limit, language))],
        width,
    )
    bottom = top + len(spec.bars) * (_BAR + _GAP) + 4
    shapes = [*legend, *_grid(axis, top, bottom)]
    for row, (bar, label) in enumerate(zip(spec.bars, labels, strict=True)):
        y, reached = top + row * (_BAR + _GAP) + _GAP / 2, 0.0
        shapes.append(Shape("text", (0, y + _BAR / 2 + 4), "ink", label))
        for name, size in bar.parts:
            x, end = axis.at(reached), axis.at(reached + size)
            shapes.append(Shape("rect", (x, y, round(end - x, 1), _BAR), f"c{order[name.id]}"))
            reached += size
        limit = axis.at(bar.limit)
        shapes.append(Shape("line", (limit, y - 4, limit, y + _BAR + 4), "limit"))
    return Chart(width, bottom + _LINE + 4, tuple(shapes))


def scatter(spec: Scatter, language: str, width: int) -> Chart:
    """Labels stand beside their points, higher or lower where they would overlap; y begins below the lowest point."""
    x_axis, y_axis, top, shapes = _frame(spec.points, spec.x, spec.y, language, width, close=True)
    front = _front(spec.points)
    path = [number for point in front for number in (x_axis.at(point.x), y_axis.at(point.y))]
    if len(front) > 1:
        shapes.append(Shape("path", tuple(path), "front"))
    taken = [(x_axis.at(point.x) - 8, y_axis.at(point.y) + 4, 16.0) for point in spec.points]
    dots: list[Shape] = []
    for point in sorted(spec.points, key=lambda one: (not one.chosen, one not in front, -one.y)):
        x, y = x_axis.at(point.x), y_axis.at(point.y)
        style = "chosen" if point.chosen else "front-dot" if point in front else "other"
        dots.append(Shape("circle", (x, y, 7 if point.chosen else 5), style))
        label = _placed(point.label, x, y, width, top, taken)
        if label is not None:
            shapes.append(Shape("text", label, "ink bold" if point.chosen else "soft", point.label))
    return Chart(width, top + _PLOT + 2 * _LINE + 10, (*shapes, *reversed(dots)))


def lines(spec: Lines, language: str, width: int) -> Chart:
    points = [Point("", x, band.high) for curve in spec.curves for x, band in curve.points]
    named = [(f"s{n}", spoken(one.label, language)) for n, one in enumerate(spec.curves)]
    legend, top = _legend(named, width) if len(named) > 1 else ([], 0.0)
    x_axis, y_axis, _, frame = _frame(points, spec.x, spec.y, language, width, top)
    shapes = [*legend, *frame]
    for number, curve in enumerate(spec.curves):
        upper = [(x_axis.at(x), y_axis.at(band.high)) for x, band in curve.points]
        lower = [(x_axis.at(x), y_axis.at(band.low)) for x, band in reversed(curve.points)]
        if any(band.low != band.high for _, band in curve.points):
            shapes.append(Shape("area", _flat([*upper, *lower]), f"a{number}"))
        middle = [(x_axis.at(x), y_axis.at(band.expected)) for x, band in curve.points]
        shapes.append(Shape("path", _flat(middle), f"s{number}"))
    height = y_axis.start + 2 * _LINE + 10
    if spec.mark:
        value, words = spec.mark
        x, said = x_axis.at(value), spoken(words, language)
        beyond = x + 6 + text_width(said) > width
        shapes.append(Shape("line", (x, y_axis.start - _PLOT, x, y_axis.start), "limit"))
        shapes.append(
            Shape("text", (x + (-6 if beyond else 6), y_axis.start - _PLOT + 14), "ink end" if beyond else "ink", said)
        )
    return Chart(width, height, tuple(shapes))


def tornado(spec: Tornado, language: str, width: int) -> Chart:
    labels = [spoken(name, language) for name, _, _ in spec.rows]
    left = min(max(map(text_width, labels), default=0) + 12, width * 0.45)
    axis = _axis(max(max(less, more) for _, less, more in spec.rows), left, width)
    legend, top = _legend([("c0", spoken(spec.less, language)), ("c2", spoken(spec.more, language))], width)
    bottom = top + len(spec.rows) * (_BAR + 6) + 4
    shapes = [*legend, *_grid(axis, top, bottom)]
    base = axis.at(spec.base)
    for row, (label, (_, less, more)) in enumerate(zip(labels, spec.rows, strict=True)):
        y = top + row * (_BAR + 6) + 4
        shapes.append(Shape("text", (0, y + _BAR / 2 + 4), "ink", label))
        for value, style in ((less, "c0"), (more, "c2")):
            x, end = sorted((base, axis.at(value)))
            shapes.append(Shape("rect", (x, y, round(end - x, 1), _BAR), style))
    shapes.append(Shape("line", (base, top, base, bottom), "base"))
    return Chart(width, bottom + _LINE + 4, tuple(shapes))


def _frame(
    points: tuple[Point, ...] | list[Point],
    x: Text,
    y: Text,
    language: str,
    width: int,
    top: float = 0,
    *,
    close: bool = False,
) -> tuple[_Axis, _Axis, float, list[Shape]]:
    top += _LINE + 6
    left = 52.0
    x_axis = _axis(max(point.x for point in points), left, width)
    lowest, highest = (reach(point.y for point in points) for reach in (min, max))
    y_step = tick_step(highest - (lowest if close else 0.0), 5)
    origin = floor(lowest / y_step) * y_step if close else 0.0
    y_axis = _Axis(top + _PLOT, -_PLOT, y_step, max(1, ceil((highest - origin) / y_step)), origin)
    shapes = _grid(x_axis, top, top + _PLOT)
    for place, label in y_axis.labels():
        shapes.append(Shape("line", (left, place, x_axis.at(x_axis.step * x_axis.ticks), place), "grid"))
        shapes.append(Shape("text", (left - 6, place + 4), "soft end", label))
    shapes.append(Shape("text", (0, top - 14), "soft", spoken(y, language)))
    shapes.append(Shape("text", (width - 4, top + _PLOT + 2 * _LINE + 2), "soft end", spoken(x, language)))
    return x_axis, y_axis, top, shapes


def _axis(largest: float, left: float, width: int) -> _Axis:
    """Fewer ticks on a narrow page, so that their labels stay apart."""
    step = tick_step(largest, 5 if width > 500 else 3)
    return _Axis(left, width - left - 24, step, max(1, ceil(largest / step)))


def _grid(axis: _Axis, top: float, bottom: float) -> list[Shape]:
    shapes = []
    for x, label in axis.labels():
        shapes.append(Shape("line", (x, top, x, bottom), "grid"))
        shapes.append(Shape("text", (x, bottom + _LINE - 2), "soft middle", label))
    return shapes


def _legend(entries: list[tuple[str, str]], width: int) -> tuple[list[Shape], float]:
    """The shapes, and the y below them; entries that do not fit go on the next line."""
    shapes, x, y = [], 0.0, 12.0
    for style, words in entries:
        if x and x + 20 + text_width(words) > width:
            x, y = 0.0, y + _LINE
        swatch = (x, y - 10, 12, 12) if style[0] == "c" else (x, y - 4, x + 14, y - 4)
        shapes.append(Shape("rect" if style[0] == "c" else "line", swatch, style))
        shapes.append(Shape("text", (x + 19, y), "ink", words))
        x += 19 + text_width(words) + 18
    return shapes, y + 12


def _front(points: tuple[Point, ...]) -> list[Point]:
    """What no other point beats in both x (less) and y (more), from cheap to good."""
    ordered = sorted(points, key=lambda one: (one.x, -one.y))
    front: list[Point] = []
    for point in ordered:
        if not front or point.y > front[-1].y:
            front.append(point)
    return front


def _placed(
    words: str, x: float, y: float, width: int, top: float, taken: list[tuple[float, float, float]]
) -> tuple[float, float] | None:
    """A free place for a point's label, right of it or left, a little higher or lower; None where there is none."""
    wide = text_width(words) * _BOLD
    for rise in (4, -12, 20, -28, 36, -44, 52):
        for start in (x + 10, x - 10 - wide):
            place = (start, y + rise)
            inside = start >= 52 and start + wide <= width and top <= y + rise <= top + _PLOT
            if inside and not any(_overlap(place, wide, other) for other in taken):
                taken.append((*place, wide))
                return place
    return None


def _overlap(place: tuple[float, float], wide: float, other: tuple[float, float, float]) -> bool:
    return abs(place[1] - other[1]) < 13 and place[0] < other[0] + other[2] and other[0] < place[0] + wide


def _flat(points: list[tuple[float, float]]) -> tuple[float, ...]:
    return tuple(number for point in points for number in point)


DRAW: dict[type, Callable[..., Chart]] = {
    StackedBars: stacked_bars,
    Scatter: scatter,
    Lines: lines,
    Tornado: tornado,
}
