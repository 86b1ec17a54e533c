"""Help in the reader's language and to the terminal's width: typer's own words, and lines of wide characters."""

import re
import shutil
from collections.abc import Sequence
from functools import cache
from typing import Any

import typer

_ZH = {
    "Options": "选项",
    "Arguments": "参数",
    "Commands": "命令",
    "Show this message and exit.": "显示本帮助并退出。",
    "[OPTIONS]": "[选项]",
    "COMMAND [ARGS]...": "命令 [参数]...",
}
_MARKS = re.compile(r"\[(default: |required\b)")
_MANY = re.compile(r"<list\[(\w+)\]>")


def dress_help(language: str) -> None:
    """For every command of this process."""
    theirs: Any = _theirs()

    class Formatter(theirs):  # type: ignore[misc]
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.width = max(30, min(shutil.get_terminal_size().columns - 2, 98))

        def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
            from dsdeploy.cli.wrap import wrap

            if language == "zh":
                for english, chinese in _ZH.items():
                    args = args.replace(english, chinese)
            usage = f"{'用法：' if language == 'zh' else 'Usage: '}{prog} {args}"
            self.write("\n    ".join(wrap(usage, self.width - 4)) + "\n")

        def write_heading(self, heading: str) -> None:
            colon = "：" if language == "zh" else ":"
            self.write(f"{' ' * self.current_indent}{_said(heading, language)}{colon}\n")

        def write_text(self, text: str) -> None:
            from dsdeploy.cli.wrap import wrap

            edge = " " * self.current_indent
            self.write("".join(f"{edge}{line}\n" for line in wrap(_said(text, language), self.width - len(edge))))

        def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
            """Names of commands and options beside what they do, below it where there is too little room."""
            from rich.cells import cell_len

            from dsdeploy.cli.wrap import pad, wrap

            edge = " " * self.current_indent
            rows = [(_MANY.sub(lambda found: f"<{found[1].lower()}>...", name), about) for name, about in rows]
            first = min(max(cell_len(name) for name, _ in rows), col_max)
            beside = self.width - len(edge) - first - col_spacing >= 24
            gap = first + col_spacing if beside else 4
            for name, about in rows:
                lines = wrap(_said(about, language), self.width - len(edge) - gap)
                if beside and cell_len(name) <= first:
                    self.write(edge + pad(name, gap) + lines.pop(0))
                else:
                    self.write(edge + name)
                self.write("".join(f"\n{edge}{' ' * gap}{line}" for line in lines) + "\n")

    typer.core.TyperGroup.context_class.formatter_class = Formatter
    for kind in (typer.core.TyperCommand, typer.core.TyperGroup):
        setattr(kind, "get_short_help_str", _first_sentence)  # noqa: B010


@cache
def _theirs() -> Any:
    """Typer's own, however often help is dressed."""
    return typer.core.TyperGroup.context_class.formatter_class


def _first_sentence(command: Any, limit: int = 0) -> str:
    """In a list of commands; theirs cuts in the middle of one, and a Chinese one to nothing."""
    return re.split(r"(?<=[.;])\s|(?<=[。；])", command.help or "", maxsplit=1)[0].rstrip(".;。；")


def _said(words: str, language: str) -> str:
    if language != "zh":
        return words
    marks = {"default: ": "默认：", "required": "必填"}
    return _MARKS.sub(lambda found: "[" + marks[found[1]], _ZH.get(words, words))
