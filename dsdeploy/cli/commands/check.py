"""`dsdeploy check`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from dsdeploy import workflows
from dsdeploy.cli.commands.install import layout
from dsdeploy.cli.completion import releases
from dsdeploy.cli.house import House


def add(app: typer.Typer, house: House) -> None:
    @app.command(help=house.say("help-check"))
    def check(
        name: Annotated[str | None, typer.Argument(help=house.say("help-name"), autocompletion=releases)] = None,
        home: Annotated[Path | None, house.flag("--home", "help-home")] = None,
        only: Annotated[list[str] | None, house.flag("--only", "help-check-only")] = None,
        skip: Annotated[list[str] | None, house.flag("--skip", "help-check-skip")] = None,
        demote: Annotated[list[str] | None, house.flag("--demote", "help-check-demote")] = None,
        also: Annotated[list[str] | None, house.flag("--also", "help-check-also")] = None,
        list_only: Annotated[bool, house.flag("--list", "help-check-list")] = False,
        strict: Annotated[bool, house.flag("--strict", "help-check-strict")] = False,
        report: Annotated[Path | None, house.flag("--report", "help-check-report")] = None,
        against: Annotated[Path | None, house.flag("--against", "help-check-against")] = None,
        hosts: Annotated[Path | None, house.flag("--hosts", "help-check-hosts")] = None,
        sign_key: Annotated[Path | None, house.flag("--sign-key", "help-check-sign-key")] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.check import checked_rows, listed_rows
        from dsdeploy.stages.check import Selection

        def selection() -> Selection:
            return Selection(tuple(only or ()), tuple(skip or ()), tuple(demote or ()), tuple(also or ()))

        if list_only:
            house.finish("check", lambda: workflows.check_list(selection()), listed_rows, as_json)
        house.finish(
            "check",
            lambda: workflows.check(
                layout(home),
                name,
                selection(),
                report,
                house.language,
                house.progress(),
                strict=strict,
                against=against,
                sign_key=sign_key,
                hosts=hosts,
            ),
            partial(checked_rows, report=report),
            as_json,
        )

    report_app = typer.Typer(help=house.say("help-report"), no_args_is_help=True)
    app.add_typer(report_app, name="report")

    @report_app.command("verify", help=house.say("help-report-verify"))
    def verify(
        file: Annotated[Path, typer.Argument(help=house.say("help-report-file"))],
        trust: Annotated[list[Path] | None, house.flag("--trust", "help-bundle-trust")] = None,
        home: Annotated[Path | None, house.flag("--home", "help-home")] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.check import signer_rows

        house.finish(
            "report verify",
            lambda: workflows.report_verify(file, layout(home), tuple(trust or ())),
            signer_rows,
            as_json,
        )

    @report_app.callback()
    def reports() -> None:
        """A group stays one while it holds a single command."""
