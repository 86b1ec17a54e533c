"""`dsdeploy plan`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dsdeploy import workflows
from dsdeploy.cli.house import House
from dsdeploy.core.errors import UsageError
from dsdeploy.core.results import Result
from dsdeploy.core.texts import text


def add(app: typer.Typer, house: House) -> None:
    @app.command(help=house.say("help-plan"))
    def plan(
        model: Annotated[str | None, house.flag("--model", "help-model")] = None,
        users: Annotated[int, house.flag("--users", "help-users")] = 1,
        context: Annotated[int, house.flag("--context", "help-context")] = 4096,
        target: Annotated[str, house.flag("--target", "help-target")] = "process",
        host: Annotated[str, house.flag("--host", "help-host")] = "127.0.0.1",
        port: Annotated[int, house.flag("--port", "help-port")] = 8080,
        hardware: Annotated[Path | None, house.flag("--hardware", "help-hardware")] = None,
        out: Annotated[Path | None, house.flag("--out", "help-out")] = None,
        verify: Annotated[Path | None, house.flag("--verify", "help-verify")] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.plan import plan_rows
        from dsdeploy.core.values import Request

        def work() -> Result[Any]:
            if verify is not None:
                if model or out:
                    raise UsageError(text("verify-alone"), hint=text("verify-alone-hint"))
                return workflows.plan_verify(verify, hardware)
            return workflows.plan(Request(model, users, context, target, host, port), hardware, out)

        house.finish("plan", work, plan_rows, as_json)
