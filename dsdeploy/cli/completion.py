"""Completion in a shell: putting it there, and the values that it offers, each list read only when it is asked for."""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dsdeploy.core.errors import UsageError
from dsdeploy.core.texts import text

if TYPE_CHECKING:
    from dsdeploy.cli.house import House

_SHELLS = ("bash", "zsh", "fish")
_ASKS = "_DSDEPLOY_COMPLETE"  # set by a shell that completes a line


def model_names() -> list[str]:
    from dsdeploy.core import catalogue

    return [one["id"] for one in catalogue.models()]


def releases() -> list[str]:
    """Of the home that holds without --home, which a shell's question does not carry."""
    from dsdeploy.core.layout import RELEASE_FILE, Layout, default_home

    folder = Layout(default_home(dict(os.environ))).release("")
    return sorted(one.parent.name for one in folder.glob(f"*/{RELEASE_FILE}"))


def _accelerators() -> list[str]:
    from dsdeploy.core.accelerators import accelerators

    return [one.id for one in accelerators()]


def _engines() -> list[str]:
    from dsdeploy.core.engines import engines

    return [one.name for one in engines()]


def _formats() -> list[str]:
    from dsdeploy.core import catalogue

    return sorted({one.format for model in catalogue.models() for one in catalogue.variants(model["id"])})


def _workloads() -> list[str]:
    from dsdeploy.core.workloads import workloads

    return [one.id for one in workloads()]


def _industries() -> list[str]:
    from dsdeploy.core.industries import industries

    return [one.id for one in industries()]


def _checks() -> list[str]:
    from dsdeploy.core.checks import GROUPS, check_facts

    return [*GROUPS, *check_facts()]


def _constant(module: str, name: str) -> Callable[[], list[str]]:
    return lambda: list(getattr(import_module(module), name))


OFFERED: dict[str, Callable[[], list[str]]] = {
    "--model": model_names,
    "--release": releases,
    "--accelerator": _accelerators,
    "--engine": _engines,
    "--format": _formats,
    "--workload": _workloads,
    "--industry": _industries,
    "--only": _checks,
    "--skip": _checks,
    "--demote": _checks,
    "--also": _checks,
    "--lang": _constant("dsdeploy.core.texts", "LANGUAGES"),
    "--target": _constant("dsdeploy.stages.plan", "TARGETS"),
    "--aim": _constant("dsdeploy.stages.plan.rank", "AIMS"),
    "--mode": _constant("dsdeploy.stages.upgrade", "MODES"),
    "--source": _constant("dsdeploy.adapters.hubs", "ORIGINS"),
    "--algorithm": _constant("dsdeploy.adapters.bundle.keys.base", "ALGORITHMS"),
}


def prepare() -> None:
    """Only where a shell asks. Typer reads help as markup before zsh and fish show it, and fails at a bracket; here it
    is plain words."""
    if _ASKS not in os.environ:
        return
    from typer.completion import completion_init

    completion_init()
    if theirs := sys.modules.get("typer._completion_classes"):
        setattr(theirs, "_sanitize_help_text", str)  # noqa: B010


def installer(house: "House") -> Callable[[typer.Context, bool], None]:
    def act(context: typer.Context, asked: bool) -> None:
        if not asked or context.resilient_parsing:  # a shell that completes the line after it asks for nothing
            return
        from typer.completion import install

        try:
            shell, path = install(_shell(house), prog_name="dsdeploy")
        except OSError as error:
            message = text("not-writable", path=error.filename or Path.home(), reason=error)
            house.fail("", UsageError(message, hint=text("not-writable-hint")), False)
        typer.echo(house.say("completion-installed", shell=shell, path=path))
        raise typer.Exit()

    return act


def shower(house: "House") -> Callable[[typer.Context, bool], None]:
    def act(context: typer.Context, asked: bool) -> None:
        if not asked or context.resilient_parsing:
            return
        from typer.completion import get_completion_script

        shell = _shell(house)
        typer.echo(get_completion_script(prog_name="dsdeploy", complete_var=_ASKS, shell=shell))
        raise typer.Exit()

    return act


def _shell(house: "House") -> str:
    """The one from which this process was started."""
    import shellingham

    try:
        found, _ = shellingham.detect_shell()
    except shellingham.ShellDetectionFailure:
        found = "?"
    if found not in _SHELLS:
        message = text("completion-no-shell", found=found)
        house.fail("", UsageError(message, hint=text("completion-no-shell-hint")), False)
    return str(found)
