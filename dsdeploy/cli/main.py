"""Flags in, one workflow call, one view out. The only place that prints and that ends the program."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from dsdeploy import workflows
from dsdeploy.core.errors import DsdeployError
from dsdeploy.core.results import Result, failure_document, success_document
from dsdeploy.core.texts import LANGUAGES, choose_language, text
from dsdeploy.core.values import Request

View = Callable[[Any, str], tuple[tuple[str, ...], list[tuple[str, ...]]]]


def build_app(language: str) -> typer.Typer:
    """The command line, with its help in `language`."""

    def say(id: str) -> str:
        return text(id).render(language)

    app = typer.Typer(help=say("help-app"), no_args_is_help=True, pretty_exceptions_enable=False)
    models = typer.Typer(help=say("help-models"), no_args_is_help=True)
    app.add_typer(models, name="models")
    as_json_option = typer.Option("--json", help=say("help-json"))

    @app.callback()
    def options(lang: Annotated[str | None, typer.Option("--lang", help=say("help-lang"))] = None) -> None:
        if lang is not None and lang not in LANGUAGES:
            raise typer.BadParameter(say("help-lang"))

    @app.command(help=say("help-profile"))
    def profile(
        save: Annotated[Path | None, typer.Option("--save", help=say("help-save"))] = None,
        as_json: Annotated[bool, as_json_option] = False,
    ) -> None:
        from dsdeploy.cli.views import profile_rows

        _finish("profile", lambda: workflows.profile(save), profile_rows, as_json, language)

    @app.command(help=say("help-plan"))
    def plan(
        model: Annotated[str | None, typer.Option("--model", help=say("help-model"))] = None,
        users: Annotated[int, typer.Option("--users", help=say("help-users"))] = 1,
        context: Annotated[int, typer.Option("--context", help=say("help-context"))] = 4096,
        hardware: Annotated[Path | None, typer.Option("--hardware", help=say("help-hardware"))] = None,
        out: Annotated[Path | None, typer.Option("--out", help=say("help-out"))] = None,
        verify: Annotated[Path | None, typer.Option("--verify", help=say("help-verify"))] = None,
        as_json: Annotated[bool, as_json_option] = False,
    ) -> None:
        from dsdeploy.cli.views import plan_rows

        def work() -> Result[Any]:
            if verify is not None:
                return workflows.plan_verify(verify, hardware)
            return workflows.plan(Request(model, users, context), hardware, out)

        _finish("plan", work, plan_rows, as_json, language)

    @models.command("list", help=say("help-models-list"))
    def models_list(as_json: Annotated[bool, as_json_option] = False) -> None:
        from dsdeploy.cli.views import models_rows

        _finish("models list", workflows.models_list, models_rows, as_json, language)

    @models.command("show", help=say("help-models-show"))
    def models_show(model: str, as_json: Annotated[bool, as_json_option] = False) -> None:
        from dsdeploy.cli.views import model_rows

        _finish("models show", lambda: workflows.models_show(model), model_rows, as_json, language)

    return app


def _finish(command: str, work: Callable[[], Result[Any]], view: View, as_json: bool, language: str) -> None:
    try:
        result = work()
    except DsdeployError as error:
        if as_json:
            typer.echo(json.dumps(failure_document(command, error, language), ensure_ascii=False))
        else:
            typer.echo(f"{error.code}: {error.message.render(language)}\n{error.hint.render(language)}", err=True)
        raise typer.Exit(error.exit_code) from None
    if as_json:
        typer.echo(json.dumps(success_document(result), ensure_ascii=False))
    else:
        _print_table(*view(result.data, language))
    raise typer.Exit(result.exit_code)


def _print_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text as Plain

    table = Table(*head, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(Plain(cell, overflow="fold") for cell in row))
    Console().print(table)


def _asked_language(words: list[str]) -> str | None:
    for place, word in enumerate(words):
        if word.startswith("--lang="):
            return word.removeprefix("--lang=")
        if word == "--lang" and place + 1 < len(words):
            return words[place + 1]
    return None


def main() -> None:
    build_app(choose_language(_asked_language(sys.argv[1:]), dict(os.environ)))()
