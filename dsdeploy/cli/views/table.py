"""What every view gives: column heads and rows of plain words, printed as text, never as markup.

A row of one cell is the title of the rows below it, and one with words in its last cell alone takes the whole line. A
cell that begins with "$ " is a command to copy: it stands below its row, in one piece however narrow the terminal is.
So does a digest or path that its column would break.
"""

import shutil
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from dsdeploy.core.texts import text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text as Drawn

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
COMMAND = "$ "
_EDGE, _GAP = "  ", "   "
_NARROWEST = 20  # columns of words; a table that leaves its last less is drawn row by row


def gib(size_bytes: int | None, language: str) -> str:
    return text("unknown").render(language) if size_bytes is None else f"{size_bytes / 2**30:,.1f} GiB"


def when(time: str) -> str:
    """A time in UTC as it is written everywhere: with the short mark, which fits a column."""
    return time.replace("+00:00", "Z")


def print_table(table: Table) -> None:
    from rich.console import Console

    console = Console()
    console.print(_drawn(table, console), soft_wrap=True, end="")


def live_tables(look: Callable[[], Table], every_s: float) -> None:
    """Draws what `look` gives in the same place again and again, until it raises."""
    from rich.console import Console
    from rich.live import Live

    console = Console()
    with Live(_drawn(look(), console), console=console, auto_refresh=False) as live:
        while True:
            time.sleep(every_s)
            live.update(_drawn(look(), console), refresh=True)


def _drawn(table: Table, console: "Console") -> "Drawn":
    from rich.text import Text as Drawn

    # A terminal without cursor movement has a width all the same, which rich does not ask for.
    width = shutil.get_terminal_size().columns if console.is_dumb_terminal else console.width
    drawn = Drawn()
    for line, bold in table_lines(table, width):
        drawn.append(line + "\n", "bold" if bold else "")
    return drawn


def table_lines(table: Table, width: int) -> list[tuple[str, bool]]:
    """Each line with whether it is a head or a title; none is wider than `width` but a command's or of one word."""
    head, rows = table
    widths = _widths(head, rows, width - len(_EDGE))
    if widths is None:
        return _stacked(head, rows, width)
    lines = [*_cells(head, widths, True), (_EDGE + "─" * (sum(widths) + len(_GAP) * (len(widths) - 1)), False)]
    if len(head) == 2 and rows and len(rows[0]) == 1:  # each part says by its title what it is
        lines = []
    for row in rows:
        if len(row) == 1 < len(head):
            lines += [("", False), *_titled(row[0], width)] if lines else _titled(row[0], width)
        elif _words_alone(row):
            lines += _noted(row[-1], width)
        elif any(_alone(cell, widths, place) for place, cell in enumerate(row)):
            lines += _below(row, width)
        else:
            lines += _cells(row, widths, False)
    return [*lines, ("", False)]


def _widths(head: tuple[str, ...], rows: list[tuple[str, ...]], room: int) -> list[int] | None:
    """Of each column; None where the words of the last would stand in too thin a column."""
    from rich.cells import cell_len

    from dsdeploy.cli.wrap import pieces

    def longest(place: int) -> int:
        cells = [
            head[place],
            *(row[place] for row in rows if len(row) == len(head) and not _apart(row, place)),
        ]
        return max(cell_len(line) for cell in cells for line in cell.splitlines() or [""])

    wanted = [longest(place) for place in range(len(head))]
    room -= len(_GAP) * (len(head) - 1)
    if sum(wanted) <= room:
        return wanted
    if len(head) == 1:
        return [room]
    if len(head) == 2:
        name = max(cell_len(piece) for row in rows for line in row[0].splitlines() for piece in pieces(line))
        wanted[0] = min(wanted[0], max(room * 2 // 5, min(name, room * 3 // 5)))
        return [wanted[0], room - wanted[0]]
    # The widest before the last gives first: the others hold names and figures.
    widest = max(range(len(head) - 1), key=lambda place: wanted[place])
    whole = max((cell_len(piece) for row in rows for line in row[-1].splitlines() for piece in pieces(line)), default=0)
    last = min(wanted[-1], max(_NARROWEST, min(whole, room // 2)))
    spare = room - last - (sum(wanted[:-1]) - wanted[widest])
    wanted[widest] = min(wanted[widest], max(spare, _NARROWEST))
    left = room - sum(wanted[:-1])
    return [*wanted[:-1], left] if left >= last else None


def _apart(row: tuple[str, ...], place: int) -> bool:
    return row[place].startswith(COMMAND) or _words_alone(row)


def _words_alone(row: tuple[str, ...]) -> bool:
    return len(row) > 1 and not any(row[:-1])


def _alone(cell: str, widths: list[int], place: int) -> bool:
    """A command, or a digest or path that its column would break."""
    from rich.cells import cell_len

    from dsdeploy.cli.wrap import pieces

    if cell.startswith(COMMAND):
        return True
    longest = max((cell_len(piece) for line in cell.splitlines() for piece in pieces(line)), default=0)
    return len(widths) == 2 and place == 1 and widths[1] < longest


def _below(row: tuple[str, ...], width: int) -> list[tuple[str, bool]]:
    from dsdeploy.cli.wrap import wrap

    lines = [(_EDGE + line, False) for line in wrap(row[0], width - len(_EDGE)) if line]
    for cell in row[1:]:
        if cell.startswith(COMMAND):
            lines.append((2 * _EDGE + cell.removeprefix(COMMAND), False))
        else:
            lines += [((2 * _EDGE + line).rstrip(), False) for line in wrap(cell, width - 2 * len(_EDGE), cut=False)]
    return lines


def _noted(words: str, width: int) -> list[tuple[str, bool]]:
    """The second line of a note stands in, so that notes can be told apart."""
    from dsdeploy.cli.wrap import wrap

    if words.startswith(COMMAND):
        return [(2 * _EDGE + words.removeprefix(COMMAND), False)]
    first, *rest = wrap(words, width - 2 * len(_EDGE))
    return [(_EDGE + first, False), *((2 * _EDGE + line, False) for line in rest)]


def _titled(title: str, width: int) -> list[tuple[str, bool]]:
    from dsdeploy.cli.wrap import wrap

    return [(line, True) for line in wrap(title, width)]


def _cells(row: tuple[str, ...], widths: list[int], bold: bool) -> list[tuple[str, bool]]:
    from itertools import zip_longest

    from dsdeploy.cli.wrap import pad, wrap

    wrapped = [wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
    lines = []
    for parts in zip_longest(*wrapped, fillvalue=""):
        shown = _GAP.join(pad(part, width) for part, width in zip(parts, widths, strict=True))
        lines.append(((_EDGE + shown).rstrip(), bold))
    return lines


def _stacked(head: tuple[str, ...], rows: list[tuple[str, ...]], width: int) -> list[tuple[str, bool]]:
    """One cell below the other, named."""
    from dsdeploy.cli.wrap import wrap

    lines: list[tuple[str, bool]] = []
    for row in rows:
        if len(row) == 1:
            lines += [("", False), *_titled(row[0], width)]
            continue
        if _words_alone(row):
            lines += _noted(row[-1], width)
            continue
        lines += [(_EDGE + line, True) for line in wrap(row[0], width - len(_EDGE)) if line]
        for title, cell in zip(head[1:], row[1:], strict=True):
            if cell:
                colon = ": " if title.isascii() else "："
                lines += [(2 * _EDGE + line, False) for line in wrap(title + colon + cell, width - 2 * len(_EDGE))]
    return [*lines, ("", False)]
