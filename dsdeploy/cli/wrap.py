"""Lines that fit a width, Han characters counted as the two columns they take."""

import re

from rich.cells import cell_len

_WIDE = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"
_OPENING, _CLOSING = "（《【「『“‘", "，。、；：！？）》】」』”’"
_RANGE = rf"[({_OPENING}]*\d[\d,.]* – \d[\d,.]*[^ {_WIDE}]*[{_CLOSING}]*"
# What stays in one line: a range of two numbers, a wide character or a run of others, with the marks that may not begin
# or end a line.
_PIECE = re.compile(
    rf" +|{_RANGE}"
    rf"|[{_OPENING}]*(?:(?![{_OPENING}{_CLOSING}])[{_WIDE}]|[^ {_WIDE}{_OPENING}{_CLOSING}]+)?[{_CLOSING}]*"
)


def pieces(line: str) -> list[str]:
    return [one for one in _PIECE.findall(line) if one]


def wrap(words: str, width: int, *, cut: bool = True) -> list[str]:
    """Each line at most `width` columns; a piece that is longer alone is cut, or else has a line of its own."""
    lines: list[str] = []
    for line in words.splitlines() or [""]:
        now = ""
        for piece in pieces(line):
            if cell_len(now + piece.rstrip()) <= width:
                now += piece
                continue
            if now.strip():
                lines.append(now.rstrip())
            now = piece.lstrip()
            while cut and cell_len(now) > width:
                end = _most(now, width)
                lines.append(now[:end])
                now = now[end:]
        lines.append(now.rstrip())
    return lines


def pad(words: str, width: int) -> str:
    return words + " " * (width - cell_len(words))


def _most(words: str, width: int) -> int:
    """How many characters fit; one at least."""
    taken = 0
    for place, one in enumerate(words):
        taken += cell_len(one)
        if taken > width:
            return max(1, place)
    return len(words)
