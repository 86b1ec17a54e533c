"""A service is examined, and a report of it held to its signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsdeploy.core.errors import UsageError
from dsdeploy.core.results import Result
from dsdeploy.core.texts import text
from dsdeploy.workflows.steps import installed_plan, installed_rendering

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dsdeploy.adapters.reports import ReportSigners
    from dsdeploy.core.layout import Layout
    from dsdeploy.core.progress import Progress
    from dsdeploy.core.values import (
        Checked,
        Operation,
    )
    from dsdeploy.stages.check import ListedCheck, Selection

    Agree = Callable[[tuple[Operation, ...]], bool]


def check(
    layout: Layout,
    name: str | None,
    selection: Selection,
    report: Path | None,
    language: str,
    progress: Progress,
    *,
    strict: bool,
    against: Path | None = None,
    sign_key: Path | None = None,
    hosts: Path | None = None,
) -> Result[Checked]:
    """An earlier report, a key and an inventory are read before any check, so that none runs in vain."""
    from dataclasses import replace

    from dsdeploy.adapters.bundle.keys import load_private
    from dsdeploy.adapters.inventory import load_inventory
    from dsdeploy.adapters.releases import load_release
    from dsdeploy.adapters.reports import find_report, read_earlier, sign_report, write_report
    from dsdeploy.adapters.targets import find_target
    from dsdeploy.core.comparison import compare
    from dsdeploy.stages.check import check_release

    if sign_key and not report:
        raise UsageError(text("sign-nothing"), hint=text("sign-nothing-hint"))
    render_report = find_report(report) if report else None
    earlier = read_earlier(against) if against else None
    key = load_private(str(sign_key)) if sign_key else None
    machines = load_inventory(hosts) if hosts else ()
    release = load_release(layout, name)
    plan, target = installed_plan(release), find_target(release.target)
    checked = check_release(
        release, plan, target, selection, progress, hosts=machines, render=installed_rendering(release)
    )
    if earlier is not None:
        found = compare(earlier, checked.findings)
        checked = replace(checked, changes=found.changes, only_before=found.only_before, only_after=found.only_after)
    exit_code = {"fail": 3, "warn": 4 if strict else 0}.get(checked.verdict, 0)
    result = Result("check", checked, exit_code)
    if report and render_report:
        content = render_report(result, language)
        write_report(report, content)
        if key is not None:
            sign_report(report, content, checked, key)
    return result


def check_list(selection: Selection) -> Result[tuple[ListedCheck, ...]]:
    from dsdeploy.stages.check import list_checks

    return Result("check", list_checks(selection))


def report_verify(path: Path, layout: Layout, trust: tuple[Path, ...]) -> Result[ReportSigners]:
    from dsdeploy.adapters.reports import verify_report
    from dsdeploy.stages.bundle.opening import trusted_keys

    return Result("report verify", verify_report(path, trusted_keys(trust, layout.home)))
