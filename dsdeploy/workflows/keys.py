"""Who may use a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsdeploy.core.results import Result
from dsdeploy.workflows.steps import ask_consent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dsdeploy.core.layout import Layout
    from dsdeploy.core.values import (
        Operation,
        Release,
    )
    from dsdeploy.stages.keys import Change, Keys

    Agree = Callable[[tuple[Operation, ...]], bool]


def keys_list(layout: Layout, name: str | None) -> Result[Keys]:
    from dsdeploy.adapters.gateway.keys import read_keys
    from dsdeploy.adapters.releases import load_release
    from dsdeploy.stages.keys import Keys

    release = load_release(layout, name)
    return Result("keys list", Keys(release.name, read_keys(release)))


def keys_change(
    command: str,
    layout: Layout,
    name: str | None,
    plan_change: Callable[[Release], Change],
    out: Path | None,
    agree: Agree,
    *,
    dry_run: bool,
) -> Result[Keys]:
    """`plan_change` is one of `stages.keys`; the new key is in the result only where no file takes it."""
    from dsdeploy.adapters.releases import hold_lock, load_release
    from dsdeploy.adapters.targets import find_target
    from dsdeploy.stages import keys as stage

    with hold_lock(layout, command):
        release = load_release(layout, name)
        change = plan_change(release)
        operations = stage.operations(release, change)
        if dry_run:
            return Result(command, stage.Keys(release.name, change.keys, None, False, operations))
        ask_consent(agree, operations)
        stage.apply(release, change, out)
        find_target(release.target).take_keys(release, change.keys)
        secret = None if out else change.secret
        return Result(command, stage.Keys(release.name, change.keys, secret, True, operations))
