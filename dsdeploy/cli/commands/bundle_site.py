"""`dsdeploy bundle inventory`, `prune`, `rollback` and `log`: what a site keeps."""

from pathlib import Path
from typing import Annotated

import typer

from dsdeploy import workflows
from dsdeploy.cli.commands.install import layout
from dsdeploy.cli.house import House


def add(bundle: typer.Typer, house: House) -> None:
    home_flag = house.flag("--home", "help-home")

    @bundle.command("inventory", help=house.say("help-bundle-inventory"))
    def inventory(
        out: Annotated[Path, house.flag("--output", "help-bundle-inventory-out")],
        home: Annotated[Path | None, home_flag] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.bundle import inventory_rows

        house.finish(
            "bundle inventory",
            lambda: workflows.bundle_inventory(layout(home), out),
            lambda found, language: inventory_rows(found, out, language),
            as_json,
        )

    @bundle.command("prune", help=house.say("help-bundle-prune"))
    def prune(
        keep: Annotated[int, typer.Option("--keep", min=1, help=house.say("help-bundle-keep"))] = 2,
        home: Annotated[Path | None, home_flag] = None,
        yes: Annotated[bool, house.flag("--yes", "help-yes", "-y")] = False,
        dry_run: Annotated[bool, house.flag("--dry-run", "help-dry-run")] = False,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.bundle import pruned_rows

        house.finish(
            "bundle prune",
            lambda: workflows.bundle_prune(layout(home), keep, house.consent(yes), dry_run=dry_run),
            pruned_rows,
            as_json,
        )

    @bundle.command("rollback", help=house.say("help-bundle-rollback"))
    def rollback(
        name: Annotated[str | None, typer.Argument(help=house.say("help-bundle-rollback-name"))] = None,
        to: Annotated[int | None, house.flag("--to", "help-bundle-to")] = None,
        home: Annotated[Path | None, home_flag] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.bundle import switched_rows

        house.finish(
            "bundle rollback", lambda: workflows.bundle_rollback(layout(home), name, to), switched_rows, as_json
        )

    @bundle.command("log", help=house.say("help-bundle-log"))
    def log(home: Annotated[Path | None, home_flag] = None, as_json: Annotated[bool, house.json_flag] = False) -> None:
        from dsdeploy.cli.views.bundle import log_rows

        house.finish("bundle log", lambda: workflows.bundle_log(layout(home)), log_rows, as_json)
