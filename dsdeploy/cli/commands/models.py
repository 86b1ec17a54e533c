"""`dsdeploy models list` and `dsdeploy models show`."""

from typing import Annotated

import typer

from dsdeploy import workflows
from dsdeploy.cli.completion import model_names
from dsdeploy.cli.house import House


def add(app: typer.Typer, house: House) -> None:
    models = typer.Typer(help=house.say("help-models"), no_args_is_help=True)
    app.add_typer(models, name="models")

    @models.command("list", help=house.say("help-models-list"))
    def models_list(
        family: Annotated[str | None, house.flag("--family", "help-family")] = None,
        licence: Annotated[str | None, house.flag("--licence", "help-licence")] = None,
        format: Annotated[str | None, house.flag("--format", "help-format")] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.models import models_rows

        house.finish("models list", lambda: workflows.models_list(family, licence, format), models_rows, as_json)

    @models.command("show", help=house.say("help-models-show"))
    def models_show(
        model: Annotated[str, typer.Argument(help=house.say("help-model-or-config"), autocompletion=model_names)],
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.models import model_rows

        house.finish("models show", lambda: workflows.models_show(model), model_rows, as_json)
