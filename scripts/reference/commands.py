"""Every command with its options, as the program declares them, and the man page of the same."""

from collections.abc import Iterator
from typing import Any

import typer

import dsdeploy
from dsdeploy.cli.house import House
from dsdeploy.cli.main import build_app
from scripts.reference.page import code, table

_WORDS = {
    "en": ("Commands", "Argument or option", "Meaning", "Default", "Every command also takes `--lang` and `--debug`, "
           "wherever they stand, and shows its own help with `--help`.", "needed", "repeatable"),
    "zh": ("命令", "参数或选项", "含义", "默认值", "所有命令还接受 `--lang` 与 `--debug`（位置不限），并用 `--help` 显示各自的帮助。",
           "必填", "可重复"),
}  # fmt: skip


def commands(language: str) -> Iterator[tuple[str, Any]]:
    """Each command that does something, by its full name, in the order of the program's own help."""
    yield from _leaves("dsdeploy", typer.main.get_command(build_app(House(language))))


def _leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if not inner:
        yield name, command
        return
    for word, one in inner.items():
        yield from _leaves(f"{name} {word}", one)


def page(language: str) -> str:
    title, option, meaning, default, about, needed, repeatable = _WORDS[language]
    parts = [f"# {title}\n", about + "\n"]
    for name, command in commands(language):
        parts += [f"## {name.removeprefix('dsdeploy ')}\n", command.help + "\n", f"    {usage(name, command)}\n"]
        rows = []
        for one in command.params:
            if one.name == "help":
                continue
            more = "".join(f" ({word})" for word, said in ((needed, one.required), (repeatable, one.multiple)) if said)
            rows.append((spelled(one), (one.help or "") + more, said_default(one)))
        parts.append(table((option, meaning, default), rows))
    return "\n".join(parts)


def usage(name: str, command: Any) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    words = [one.name.upper() if one.required else f"[{one.name.upper()}]" for one in arguments]
    return " ".join([name, *words, "[OPTIONS]"])


def spelled(one: Any) -> str:
    if one.param_type_name == "argument":
        return code(one.name.upper())
    value = "" if one.is_flag else f" {one.name.upper()}" + " …" * (one.nargs != 1)
    return ", ".join(f"`{name}{value}`" for name in (*one.opts, *one.secondary_opts))


def said_default(one: Any) -> str:
    plain = isinstance(one.default, str | int | float) and not isinstance(one.default, bool)
    return code(one.default) if plain else ""


def man(exit_codes: dict[int, str]) -> str:
    """The man page, in English: what `man dsdeploy` shows."""
    lines = [f'.TH DSDEPLOY 1 "" "dsdeploy {dsdeploy.__version__}" "User Commands"', ".SH NAME"]
    lines += [f"dsdeploy \\- {House('en').say('help-app')}", ".SH SYNOPSIS", ".B dsdeploy", "COMMAND [OPTIONS]"]
    lines += [".SH OPTIONS", *_options(typer.main.get_command(build_app(House("en")))), ".SH COMMANDS"]
    for name, command in commands("en"):
        lines += [f".SS {_roff(usage(name, command))}", _roff(command.help)]
        lines += _options(command)
    lines.append(".SH EXIT STATUS")
    for number, meaning in exit_codes.items():
        lines += [".TP", f".B {number}", _roff(meaning)]
    return "\n".join(lines) + "\n"


def _options(command: Any) -> Iterator[str]:
    for one in command.params:
        if one.name != "help":
            yield from (".TP", f".B {_roff(spelled(one).replace('`', ''))}", _roff(one.help or ""))


def _roff(words: str) -> str:
    """What is not ASCII by its number: a reader of man pages may take the file for Latin-1."""
    safe = words.replace("\\", "\\e").replace("-", "\\-").replace("\n", " ")
    safe = "".join(one if one.isascii() else f"\\[u{ord(one):04X}]" for one in safe)
    return "\\&" + safe if safe.startswith((".", "'")) else safe
