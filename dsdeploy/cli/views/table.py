"""What every view gives: column heads and rows of plain words, printed as text, never as markup.

A row of one cell is the title of the rows below it.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from dsdeploy.core.texts import text

if TYPE_CHECKING:
    from rich.table import Table as RichTable

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
_UNBROKEN_CELLS = 34  # a column of names stays whole; sentences and paths break

_LEAST_CELLS = 12
_BETWEEN_CELLS = 3


def gib(size_bytes: int | None, language: str) -> str:
    return text("unknown").render(language) if size_bytes is None else f"{size_bytes / 2**30:,.1f} GiB"


def print_table(table: Table) -> None:
    from rich.console import Console

    console = Console()
    console.print(_drawn(table, console.width))


def live_tables(look: Callable[[], Table], every_s: float) -> None:
    """Draws what `look` gives in the same place again and again, until it raises."""
    from rich.live import Live

    with Live(auto_refresh=False) as live:
        while True:
            live.update(_drawn(look(), live.console.width), refresh=True)
            time.sleep(every_s)


def _drawn(table: Table, width: int) -> "RichTable":
    """Short columns stay whole as long as all of them together leave room for the others."""
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table as RichTable
    from rich.text import Text as Plain

    head, rows = table
    shown = RichTable(box=box.SIMPLE_HEAD)
    cells = [[title, *(row[place] for row in rows if len(row) > 1)] for place, title in enumerate(head)]
    longest = [max(cell_len(line) for cell in column for line in cell.splitlines() or [""]) for column in cells]
    whole = [one <= _UNBROKEN_CELLS and place < len(head) - 1 for place, one in enumerate(longest)]
    taken = sum(one if kept else _LEAST_CELLS for one, kept in zip(longest, whole, strict=True))
    fits = taken + _BETWEEN_CELLS * len(head) <= width
    for title, kept in zip(head, whole, strict=True):
        shown.add_column(title, no_wrap=kept and fits)
    for row in rows:
        titled = len(row) == 1 < len(head)
        if titled:
            shown.add_section()
        shown.add_row(*(Plain(cell, "bold" if titled else "", overflow="fold") for cell in row))
    return shown
