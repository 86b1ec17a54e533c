"""`dsdeploy upgrade`, `rollback`, `logs`, `support-bundle` and `watch`: the life of a release after its install."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsdeploy import workflows
from dsdeploy.cli.commands.install import layout
from dsdeploy.cli.completion import releases
from dsdeploy.cli.house import House

if TYPE_CHECKING:
    from dsdeploy.core.results import Result
    from dsdeploy.core.values import Upgraded
    from dsdeploy.stages.check import Selection


def add(app: typer.Typer, house: House) -> None:
    _add_changes(app, house)
    _add_looks(app, house)


def _add_changes(app: typer.Typer, house: House) -> None:
    name_argument = typer.Argument(help=house.say("help-name"), autocompletion=releases)
    home_flag = house.flag("--home", "help-home")
    skip_flag = house.flag("--skip", "help-check-skip")
    demote_flag = house.flag("--demote", "help-check-demote")
    only_flag = house.flag("--only", "help-check-only")
    yes_flag = house.flag("--yes", "help-yes", "-y")
    dry_run_flag = house.flag("--dry-run", "help-dry-run")

    def change(
        command: str,
        work: "Callable[[Selection], Result[Upgraded]]",
        only: list[str] | None,
        skip: list[str] | None,
        demote: list[str] | None,
        as_json: bool,
    ) -> None:
        from dsdeploy.cli.views.life import upgraded_rows
        from dsdeploy.stages.check import Selection

        def gated() -> "Result[Upgraded]":
            return work(Selection(tuple(only or ()), tuple(skip or ()), tuple(demote or ())))

        house.finish(command, gated, upgraded_rows, as_json)

    @app.command(help=house.say("help-upgrade"))
    def upgrade(
        plan: Annotated[Path, typer.Argument(help=house.say("help-plan-file"))],
        name: Annotated[str | None, house.flag("--name", "help-name")] = None,
        home: Annotated[Path | None, home_flag] = None,
        mode: Annotated[str, house.flag("--mode", "help-upgrade-mode")] = "auto",
        source: Annotated[str | None, house.flag("--source", "help-source")] = None,
        folder: Annotated[Path | None, house.flag("--from", "help-from")] = None,
        endpoint: Annotated[str | None, house.flag("--endpoint", "help-endpoint")] = None,
        token_file: Annotated[Path | None, house.flag("--token-file", "help-token-file")] = None,
        only: Annotated[list[str] | None, only_flag] = None,
        skip: Annotated[list[str] | None, skip_flag] = None,
        demote: Annotated[list[str] | None, demote_flag] = None,
        site: Annotated[Path | None, house.flag("--site", "help-site")] = None,
        yes: Annotated[bool, yes_flag] = False,
        dry_run: Annotated[bool, dry_run_flag] = False,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.adapters.hubs import Source

        def work(selection: "Selection") -> "Result[Upgraded]":
            asked = Source(source, folder, endpoint, token_file)
            agree, progress = house.consent(yes), house.progress()
            return workflows.upgrade(
                plan, layout(home), name, asked, mode, selection, agree, progress, dry_run=dry_run, site=site
            )

        change("upgrade", work, only, skip, demote, as_json)

    @app.command(help=house.say("help-rollback"))
    def rollback(
        name: Annotated[str | None, name_argument] = None,
        home: Annotated[Path | None, home_flag] = None,
        to: Annotated[int | None, house.flag("--to", "help-rollback-to")] = None,
        only: Annotated[list[str] | None, only_flag] = None,
        skip: Annotated[list[str] | None, skip_flag] = None,
        demote: Annotated[list[str] | None, demote_flag] = None,
        yes: Annotated[bool, yes_flag] = False,
        dry_run: Annotated[bool, dry_run_flag] = False,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        def work(selection: "Selection") -> "Result[Upgraded]":
            agree, progress = house.consent(yes), house.progress()
            return workflows.rollback(layout(home), name, to, selection, agree, progress, dry_run=dry_run)

        change("rollback", work, only, skip, demote, as_json)


def _add_looks(app: typer.Typer, house: House) -> None:
    name_argument = typer.Argument(help=house.say("help-name"), autocompletion=releases)
    home_flag = house.flag("--home", "help-home")

    @app.command(help=house.say("help-logs"))
    def logs(
        name: Annotated[str | None, name_argument] = None,
        home: Annotated[Path | None, home_flag] = None,
        lines: Annotated[int, house.flag("--lines", "help-logs-lines", "-n")] = 100,
        since: Annotated[str | None, house.flag("--since", "help-logs-since")] = None,
        part: Annotated[str, house.flag("--part", "help-logs-part")] = "engine",
        follow: Annotated[bool, house.flag("--follow", "help-logs-follow", "-f")] = False,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.life import log_rows
        from dsdeploy.core.results import Result

        if as_json or not follow:
            house.finish(
                "logs",
                lambda: Result("logs", tuple(workflows.logs(layout(home), name, lines, since, part, follow=False))),
                log_rows,
                as_json,
                plain=True,
            )
        house.stream("logs", lambda: workflows.logs(layout(home), name, lines, since, part, follow=True))

    @app.command("support-bundle", help=house.say("help-support-bundle"))
    def support_bundle(
        name: Annotated[str | None, name_argument] = None,
        home: Annotated[Path | None, home_flag] = None,
        out: Annotated[Path, house.flag("--out", "help-support-out")] = Path("dsdeploy-support.tar.gz"),
        lines: Annotated[int, house.flag("--lines", "help-logs-lines", "-n")] = 5000,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.life import support_rows

        house.finish(
            "support-bundle",
            lambda: workflows.support_bundle(layout(home), name, out, lines, house.language, house.progress()),
            support_rows,
            as_json,
        )

    @app.command(help=house.say("help-watch"))
    def watch(
        name: Annotated[str | None, name_argument] = None,
        home: Annotated[Path | None, home_flag] = None,
        out: Annotated[Path | None, house.flag("--out", "help-watch-out")] = None,
        listen: Annotated[str | None, house.flag("--listen", "help-watch-listen")] = None,
        every: Annotated[float, house.flag("--every", "help-watch-every")] = 60,
        once: Annotated[bool, house.flag("--once", "help-watch-once")] = False,
        only: Annotated[list[str] | None, house.flag("--only", "help-check-only")] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.check import checked_rows

        house.finish(
            "watch",
            lambda: workflows.watch(
                layout(home), name, out, listen, every, tuple(only or ()), house.progress(), once=once
            ),
            checked_rows,
            as_json,
        )
