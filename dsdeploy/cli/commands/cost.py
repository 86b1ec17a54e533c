"""`dsdeploy cost`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dsdeploy import workflows
from dsdeploy.cli.house import House
from dsdeploy.core.results import Result


def add(app: typer.Typer, house: House) -> None:
    @app.command(help=house.say("help-cost"))
    def cost(
        plan: Annotated[Path, typer.Argument(help=house.say("help-plan-file"))],
        prices: Annotated[Path | None, house.flag("--prices", "help-prices")] = None,
        rented: Annotated[bool, house.flag("--rented", "help-rented")] = False,
        region: Annotated[str, house.flag("--region", "help-region")] = "cn",
        months: Annotated[int, house.flag("--months", "help-months")] = 36,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.cost import cost_rows

        def work() -> Result[Any]:
            return workflows.cost(plan, prices, rented=rented, region=region, months=months)

        house.finish("cost", work, cost_rows, as_json)
