"""`dsdeploy profile`."""

from pathlib import Path
from typing import Annotated

import typer

from dsdeploy import workflows
from dsdeploy.cli.house import House


def add(app: typer.Typer, house: House) -> None:
    @app.command(help=house.say("help-profile"))
    def profile(
        save: Annotated[Path | None, house.flag("--save", "help-save")] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.profile import profile_rows

        house.finish("profile", lambda: workflows.profile(save), profile_rows, as_json)
