"""What a page of a report holds, before anyone draws it: text, tables, and the numbers of its charts."""

from dataclasses import dataclass

from dsdeploy.core.band import Band
from dsdeploy.core.texts import Text

Cell = str | Text | dict[str, str]  # the last: words by language


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure to be seen first."""

    label: Text
    value: Cell
    note: Cell = ""


@dataclass(frozen=True, slots=True)
class Facts:
    rows: tuple[tuple[Text, Cell], ...]


@dataclass(frozen=True, slots=True)
class Items:
    """Sentences, one below the other."""

    lines: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """`numbers` are the columns to be set right; `strong` is the row to stand out, None for none."""

    columns: tuple[Text, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: tuple[int, ...] = ()
    strong: int | None = None
    note: Text | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """`parts` stand on each other; `limit` is what they must stay below."""

    label: Cell
    parts: tuple[tuple[Text, float], ...]
    limit: float


@dataclass(frozen=True, slots=True)
class StackedBars:
    title: Text
    limit: Text
    bars: tuple[Bar, ...]
    note: Text | None = None


@dataclass(frozen=True, slots=True)
class Point:
    label: str
    x: float
    y: float
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Scatter:
    """Less of x and more of y is better: what nothing else beats in both is joined by a line."""

    title: Text
    x: Text
    y: Text
    points: tuple[Point, ...]
    note: Text | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """`points` are (x, band of y), in ascending x."""

    label: Cell
    points: tuple[tuple[float, Band], ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """`mark` is an x worth a vertical line, with its words."""

    title: Text
    x: Text
    y: Text
    curves: tuple[Curve, ...]
    mark: tuple[float, Text] | None = None
    note: Text | None = None


@dataclass(frozen=True, slots=True)
class Tornado:
    """Each row: what an input 30 % lower and 30 % higher make of `base`."""

    title: Text
    base: float
    rows: tuple[tuple[Text, float, float], ...]
    less: Text
    more: Text
    note: Text | None = None


Block = Facts | Items | Table | StackedBars | Scatter | Lines | Tornado


@dataclass(frozen=True, slots=True)
class Section:
    title: Text
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class PlanPage:
    """`parts` are for different readers, in the order in which they are read."""

    title: Text
    summary: Text
    tiles: tuple[Tile, ...]
    parts: tuple[tuple[Text, tuple[Section, ...]], ...]
    footer: Text


def spoken(words: Cell, language: str) -> str:
    if isinstance(words, Text):
        return words.render(language)
    return words[language] if isinstance(words, dict) else words
