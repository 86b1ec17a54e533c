"""`dsdeploy profile`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from dsdeploy import workflows
from dsdeploy.cli.house import House
from dsdeploy.core.errors import UsageError
from dsdeploy.core.results import Result
from dsdeploy.core.texts import text


def add(app: typer.Typer, house: House) -> None:
    @app.command(help=house.say("help-profile"))
    def profile(
        hosts: Annotated[Path | None, house.flag("--hosts", "help-hosts")] = None,
        connect_s: Annotated[int, house.flag("--connect-timeout", "help-connect-timeout")] = 10,
        kubernetes: Annotated[bool, house.flag("--kubernetes", "help-kubernetes")] = False,
        context: Annotated[str | None, house.flag("--context", "help-kube-context")] = None,
        namespace: Annotated[str | None, house.flag("--namespace", "help-namespace")] = None,
        collected: Annotated[Path | None, house.flag("--from", "help-collected")] = None,
        collector: Annotated[bool, house.flag("--collector", "help-collector")] = False,
        bandwidth: Annotated[list[str] | None, house.flag("--bandwidth", "help-bandwidth")] = None,
        save: Annotated[Path | None, house.flag("--save", "help-save")] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.fleet import fleet_rows
        from dsdeploy.cli.views.profile import profile_rows

        given = sum((hosts is not None, kubernetes, collected is not None, collector))
        if given > 1:
            error = UsageError(text("profile-one-source", count=given), hint=text("profile-one-source-hint"))
            house.fail("profile", error, as_json)
        if collector and (useless := "--bandwidth" if bandwidth else "--save" if save else None):
            error = UsageError(
                text("collector-alone", option=useless), hint=text("collector-alone-hint", option=useless)
            )
            house.fail("profile", error, as_json)
        if collector and not as_json:
            typer.echo(workflows.collector().data, nl=False)
            return

        def ask() -> Result[Any]:
            if collector:
                return workflows.collector()
            measured = _measured(bandwidth or [])
            if hosts is not None:
                return workflows.profile_hosts(hosts, connect_s, save, measured, _teller(house))
            if kubernetes:
                return workflows.profile_nodes(context, namespace, save, measured)
            if collected:
                return workflows.profile_collected(collected, save, measured)
            return workflows.profile(save, measured)

        house.finish("profile", ask, fleet_rows if hosts or kubernetes else profile_rows, as_json, file=save)


def _measured(words: list[str]) -> dict[str, float]:
    """NAME=GB_PER_S, in bytes/s. Raises UsageError."""
    found = {}
    for one in words:
        name, _, rate = (part.strip() for part in one.rpartition("="))
        try:
            bytes_per_s = float(rate) * 1e9
        except ValueError:
            bytes_per_s = 0.0
        if not name or not 1e9 <= bytes_per_s <= 1e15:
            raise UsageError(text("bad-bandwidth", found=one), hint=text("bad-bandwidth-hint"))
        found[name] = bytes_per_s
    return found


def _teller(house: House) -> Callable[[str], None]:
    return lambda name: typer.echo(house.say("host-asked", name=name), err=True)
