"""The values that a shell offers for an option or argument. Each list is read only when somebody asks for it."""

import os
import sys
from collections.abc import Callable
from importlib import import_module


def model_names() -> list[str]:
    from dsdeploy.core import catalogue

    return [one["id"] for one in catalogue.models()]


def releases() -> list[str]:
    """Of the home that holds without --home, which a shell's question does not carry."""
    from dsdeploy.core.layout import Layout, default_home

    folders = Layout(default_home(dict(os.environ))).release("x").parent.glob("*/release.json")
    return sorted(one.parent.name for one in folders)


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
    "--lang": _constant("dsdeploy.core.texts", "LANGUAGES"),
    "--target": _constant("dsdeploy.stages.plan", "TARGETS"),
    "--aim": _constant("dsdeploy.stages.plan.rank", "AIMS"),
    "--mode": _constant("dsdeploy.stages.upgrade", "MODES"),
    "--source": _constant("dsdeploy.adapters.hubs", "ORIGINS"),
    "--algorithm": _constant("dsdeploy.adapters.bundle.keys.base", "ALGORITHMS"),
}


def describe_plainly() -> None:
    """Typer reads help as markup before zsh and fish show it, and fails at a bracket; here help is plain words."""
    if theirs := sys.modules.get("typer._completion_classes"):
        setattr(theirs, "_sanitize_help_text", str)  # noqa: B010
