"""The command line: options that hold for all commands, the commands, and errors of usage."""

import io
import os
import re
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from dsdeploy import __version__
from dsdeploy.cli import completion
from dsdeploy.cli.help import dress_help
from dsdeploy.cli.house import House
from dsdeploy.cli.plain import read_plainly
from dsdeploy.core.errors import UsageError
from dsdeploy.core.texts import LANGUAGES, Text, choose_language, text

# Modules of dsdeploy.cli.commands in the order of the help; a command of one's name is all that it needs loaded.
COMMANDS = ("profile", "models", "estimate", "plan", "cost", "fetch", "bundle", "install", "keys", "check", "life")


def build_app(house: House, only: str = "") -> typer.Typer:
    """The command line, with its help in the house's language; of one module of commands where one is named `only`."""
    app = typer.Typer(
        help=house.say("help-app"),
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        add_completion=False,
    )

    def at_once(name: str, help_id: str, act: Callable[[typer.Context, bool], None]) -> Any:
        return typer.Option(name, help=house.say(help_id), callback=act, is_eager=True)

    def show_version(context: typer.Context, asked: bool) -> None:
        if asked and not context.resilient_parsing:
            typer.echo(f"dsdeploy {__version__}")
            raise typer.Exit

    @app.callback()
    def options(
        lang: Annotated[str | None, house.flag("--lang", "help-lang")] = None,
        debug: Annotated[bool, house.flag("--debug", "help-debug")] = False,
        version: Annotated[bool, at_once("--version", "help-version", show_version)] = False,
        install_completion: Annotated[
            bool, at_once("--install-completion", "help-install-completion", completion.installer(house))
        ] = False,
        show_completion: Annotated[
            bool, at_once("--show-completion", "help-show-completion", completion.shower(house))
        ] = False,
    ) -> None:
        """The first two are read by `main` before this program is built, wherever they stand."""

    for name in (only,) if only in COMMANDS else COMMANDS:
        import_module(f"dsdeploy.cli.commands.{name}").add(app, house)
    return app


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        # A locale without these characters shows others, and no traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    words, lang, debug = _take_globals(sys.argv[1:])
    house = House(choose_language(lang, dict(os.environ)), debug)
    as_json = "--json" in words
    command = " ".join(word for word in words[:1] if not word.startswith("-"))
    dress_help(house.language)
    try:
        if lang is not None and lang not in LANGUAGES:
            message = text("bad-language", found=lang)
            house.fail(command, UsageError(message, hint=text("help-lang")), as_json)
        read_plainly()
        completion.prepare()
        sys.exit(build_app(house, command)(words, prog_name="dsdeploy", standalone_mode=False))
    except typer.Exit as exit:
        sys.exit(exit.exit_code)
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(error, err=True)
            sys.exit(2)
        try:
            house.fail(command, UsageError(_usage_text(error), hint=text("usage-hint")), as_json)
        except typer.Exit as exit:
            sys.exit(exit.exit_code)


def _take_globals(words: list[str]) -> tuple[list[str], str | None, bool]:
    """The words without --lang and --debug, which may stand anywhere, and what these say."""
    rest: list[str] = []
    lang: str | None = None
    debug = False
    left = iter(words)
    for word in left:
        if word == "--lang":
            lang = next(left, "")
        elif word.startswith("--lang="):
            lang = word.removeprefix("--lang=")
        elif word == "--debug":
            debug = True
        else:
            rest.append(word)
    return rest, lang, debug


def _usage_text(error: Any) -> Text:
    """Typer's own complaint, in the reader's language: its exceptions are private, their fields are not."""
    kind = type(error).__name__
    parameter = getattr(error, "param", None)
    name = "/".join(getattr(parameter, "opts", ())) or getattr(parameter, "name", None) or "?"
    if kind == "NoSuchOption":
        near = ", ".join(error.possibilities or ()) or "--help"
        return text("usage-no-option", name=error.option_name, near=near)
    if kind == "MissingParameter":
        return text("usage-missing", name=name)
    if kind == "BadParameter" and parameter is not None:
        return text("usage-bad-value", name=name, expected=parameter.display_type(error.ctx))
    if kind == "BadOptionUsage":
        return text("usage-no-value", name=error.option_name)
    if command := re.search(r"No such command '(.*)'", error.message):
        return text("usage-no-command", name=command[1])
    if words := re.search(r"unexpected extra arguments? ?(?:\(s\) )?\((.*)\)", error.message):
        return text("usage-extra", words=words[1])
    return text("usage-other", reason=error.format_message())
