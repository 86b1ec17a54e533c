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


def gib(size_bytes: int | None, language: str) -> str:
    return text("unknown").render(language) if size_bytes is None else f"{size_bytes / 2**30:,.1f} GiB"


def print_table(table: Table) -> None:
    from rich.console import Console

    Console().print(_drawn(table))


def live_tables(look: Callable[[], Table], every_s: float) -> None:
    """Draws what `look` gives in the same place again and again, until it raises."""
    from rich.live import Live

    with Live(_drawn(look()), auto_refresh=False) as live:
        while True:
            time.sleep(every_s)
            live.update(_drawn(look()), refresh=True)


def _drawn(table: Table) -> "RichTable":
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table as RichTable
    from rich.text import Text as Plain

    head, rows = table
    shown = RichTable(box=box.SIMPLE_HEAD)
    for place, title in enumerate(head):
        cells = [row[place] for row in rows if len(row) > 1]
        longest = max((cell_len(one) for cell in cells for one in cell.splitlines()), default=0)
        shown.add_column(title, no_wrap=longest <= _UNBROKEN_CELLS and place < len(head) - 1)
    for row in rows:
        titled = len(row) == 1 < len(head)
        if titled:
            shown.add_section()
        shown.add_row(*(Plain(cell, "bold" if titled else "", overflow="fold") for cell in row))
    return shown
