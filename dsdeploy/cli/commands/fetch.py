"""`dsdeploy fetch`, and the flags that say where weights come from."""

from pathlib import Path
from typing import Annotated

import typer

from dsdeploy import workflows
from dsdeploy.cli.commands.install import layout
from dsdeploy.cli.house import House


def add(app: typer.Typer, house: House) -> None:
    @app.command(help=house.say("help-fetch"))
    def fetch(
        plan: Annotated[Path, typer.Argument(help=house.say("help-plan-file"))],
        source: Annotated[str | None, house.flag("--source", "help-source")] = None,
        folder: Annotated[Path | None, house.flag("--from", "help-from")] = None,
        endpoint: Annotated[str | None, house.flag("--endpoint", "help-endpoint")] = None,
        token_file: Annotated[Path | None, house.flag("--token-file", "help-token-file")] = None,
        ca_file: Annotated[Path | None, house.flag("--ca-file", "help-ca-file")] = None,
        home: Annotated[Path | None, house.flag("--home", "help-home")] = None,
        yes: Annotated[bool, house.flag("--yes", "help-yes", "-y")] = False,
        dry_run: Annotated[bool, house.flag("--dry-run", "help-dry-run")] = False,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.adapters.hubs import Source
        from dsdeploy.cli.views.fetch import fetched_rows

        where = Source(source, folder, endpoint, token_file, ca_file)
        house.finish(
            "fetch",
            lambda: workflows.fetch(plan, layout(home), where, house.consent(yes), house.progress(), dry_run=dry_run),
            fetched_rows,
            as_json,
        )
