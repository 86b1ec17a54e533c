"""A service changes, goes back, is watched and helped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsdeploy.core.errors import DsdeployError, InstallError, InvalidRequest
from dsdeploy.core.results import Result
from dsdeploy.core.texts import text
from dsdeploy.workflows.steps import ask_consent, installed_plan, read_plan, rendered_release, weights_held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dsdeploy.adapters.hubs import Source
    from dsdeploy.core.layout import Layout
    from dsdeploy.core.progress import Progress
    from dsdeploy.core.values import (
        Checked,
        Operation,
        Packed,
        Upgraded,
    )
    from dsdeploy.stages.check import Selection

    Agree = Callable[[tuple[Operation, ...]], bool]


def upgrade(
    path: Path,
    layout: Layout,
    name: str | None,
    source: Source,
    mode: str,
    selection: Selection,
    agree: Agree,
    progress: Progress,
    *,
    dry_run: bool,
    site: Path | None = None,
) -> Result[Upgraded]:
    """The new revision is checked beside the old one where there is room, and in its place always."""
    from dsdeploy.adapters.hubs import find_hub
    from dsdeploy.adapters.releases import hold_lock, load_release
    from dsdeploy.adapters.targets import find_target
    from dsdeploy.core.values import Operation, Upgraded
    from dsdeploy.stages import upgrade as stage
    from dsdeploy.stages.check import check_release
    from dsdeploy.stages.fetch import fetch_operations, fetch_weights
    from dsdeploy.stages.install import awaited_weights, desired_release, rehearse

    found, words = read_plan(path)
    target, hub = find_target(found.target, progress=progress), find_hub(found.weights_origin, source)
    with hold_lock(layout, "upgrade"):
        now = load_release(layout, name)
        good = stage.good_revision(now)
        how = stage.choose_mode(mode, found, now, target)
        held = weights_held(found, layout)
        release = desired_release(found, words, held or awaited_weights(found, layout), layout, now.name)
        rendered = rendered_release(found, words, release, site)
        pending = target.pending(release, rendered)
        left = stage.left_candidate(now, layout)
        if release.state == "installed" and not pending and left is None:
            return Result("upgrade", Upgraded(now, good.release, False, how, (), None, False))
        stage.judge_memory(found, now, target)
        rehearse(release, rendered, target)
        beside = (Operation("try-beside", {"name": now.name}),) if how == "beside" else ()
        fetching = fetch_operations(found, held, hub.place)
        operations = (*fetching, *beside, *pending, Operation("accept-revision", {"number": str(release.revision)}))
        if dry_run:
            return Result("upgrade", Upgraded(release, good.release, False, how, operations, None, False))
        ask_consent(agree, operations)
        if held is None:
            held = fetch_weights(found, layout, hub, progress)
            release = desired_release(found, words, held, layout, now.name)
            rendered = rendered_release(found, words, release, site)
        if how == "beside":
            candidate = stage.candidate_of(release, layout)
            try:
                stage.start_candidate(candidate, rendered_release(found, words, candidate, site), target, progress)
                checked = check_release(candidate, found, target, selection, progress)
            finally:
                stage.remove_candidate(candidate, target, progress)
            if checked.verdict == "fail":
                return Result("upgrade", Upgraded(now, good.release, False, how, operations, checked, True), 3)
            selection = selection.without("speed", "quality")
        elif left is not None:
            stage.remove_candidate(left, target, progress)
        try:
            tried = stage.switch(release, rendered, good, target, progress)
            checked = check_release(tried, found, target, selection, progress)
        except InstallError as error:
            try:
                stage.settle(stage.put_back(good, target, progress))
            except InstallError as second:
                message = text("upgrade-not-put-back", first=error.message, second=second.message)
                raise type(error)(message, hint=text("upgrade-not-put-back-hint")) from second
            raise
        if checked.verdict == "fail":
            back = stage.settle(stage.put_back(good, target, progress))
            return Result("upgrade", Upgraded(back, good.release, False, how, operations, checked, True), 3)
        done = stage.accept(tried, rendered)
        return Result("upgrade", Upgraded(done, good.release, True, how, operations, checked, False))


def rollback(
    layout: Layout,
    name: str | None,
    number: int | None,
    selection: Selection,
    agree: Agree,
    progress: Progress,
    *,
    dry_run: bool,
) -> Result[Upgraded]:
    from dsdeploy.adapters.releases import hold_lock, load_release
    from dsdeploy.adapters.targets import find_target
    from dsdeploy.core.values import Upgraded
    from dsdeploy.stages import upgrade as stage
    from dsdeploy.stages.check import check_release

    with hold_lock(layout, "rollback"):
        now = load_release(layout, name)
        target = find_target(now.target, progress=progress)
        revision = stage.earlier_revision(now, number)
        left = stage.left_candidate(now, layout)
        removal = target.removal(left) if left else ()
        operations = (*removal, *target.pending(revision.release, revision.rendered))
        if not operations and now == revision.release:
            return Result("rollback", Upgraded(now, now, False, "in-place", (), None, False))
        if dry_run:
            return Result("rollback", Upgraded(revision.release, now, False, "in-place", operations, None, False))
        ask_consent(agree, operations)
        if left is not None:
            stage.remove_candidate(left, target, progress)
        begun = stage.put_back(revision, target, progress)
        checked = check_release(begun, installed_plan(begun), target, selection, progress)
        done = stage.settle(begun)
        exit_code = 3 if checked.verdict == "fail" else 0
        return Result("rollback", Upgraded(done, now, True, "in-place", operations, checked, False), exit_code)


def logs(
    layout: Layout, name: str | None, lines: int, since: str | None = None, part: str = "engine", *, follow: bool
) -> Iterator[str]:
    from dsdeploy.adapters.releases import load_release
    from dsdeploy.adapters.targets import find_target
    from dsdeploy.core.durations import duration_s

    _demand_lines(lines)
    since_s = None if since is None else duration_s(since)
    release = load_release(layout, name)
    target = find_target(release.target)
    if part not in target.log_parts:
        hint = text("logs-bad-part-hint", known=", ".join(target.log_parts))
        raise InvalidRequest(text("logs-bad-part", target=release.target, part=part), hint=hint)
    return target.logs(release, lines, follow=follow, since_s=since_s, part=part)


def support_bundle(
    layout: Layout, name: str | None, out: Path, lines: int, language: str, progress: Progress
) -> Result[Packed]:
    """A place that cannot be checked is what help is wanted for: why it cannot stands in the bundle instead."""
    from dsdeploy.adapters.releases import load_release
    from dsdeploy.adapters.targets import find_target
    from dsdeploy.core.results import failure_document, success_document
    from dsdeploy.stages.check import Selection, check_release
    from dsdeploy.stages.support import gather, pack

    _demand_lines(lines)
    release = load_release(layout, name)
    target = find_target(release.target)
    content = gather(release, target, lines, progress)
    selection = Selection(skip=("speed", "quality", "weights-unchanged"))
    try:
        checked = check_release(release, installed_plan(release), target, selection, progress)
        said = success_document(Result("check", checked), language)
    except DsdeployError as error:
        said = failure_document("check", error, language)
    return Result("support-bundle", pack(release, content, said, out))


def _demand_lines(lines: int) -> None:
    if lines < 0:
        raise InvalidRequest(text("logs-lines", lines=lines), hint=text("logs-lines-hint"))


def watch(
    layout: Layout,
    name: str | None,
    out: Path | None,
    listen: str | None,
    every_s: float,
    only: tuple[str, ...],
    progress: Progress,
    *,
    once: bool,
) -> Result[Checked]:
    """Checks again and again until interrupted; the result is the last look, where `once` asks for one.

    Once it has looked, a place that cannot be reached for a while does not end it: what it shows grows old, which an
    alert on the time of the last run sees.
    """
    import time
    from contextlib import nullcontext

    from dsdeploy.adapters.metrics_listener import MetricsBoard, show_metrics
    from dsdeploy.adapters.releases import load_release
    from dsdeploy.adapters.reports import write_report
    from dsdeploy.adapters.targets import find_target
    from dsdeploy.core.metrics import prometheus_text
    from dsdeploy.stages.check import Selection, check_release

    if every_s < 1 or (out is None and listen is None):
        raise InvalidRequest(text("watch-nowhere"), hint=text("watch-nowhere-hint"))
    selection = Selection(only, () if only else ("speed", "quality", "weights-unchanged", "long-context-read"))
    board = MetricsBoard()
    with show_metrics(listen, board) if listen else nullcontext():
        while True:
            release = load_release(layout, name)
            target = find_target(release.target)
            try:
                checked = check_release(release, installed_plan(release), target, selection, progress)
            except DsdeployError as error:
                if board.content is None:
                    raise
                progress.begin(error.message)
                time.sleep(every_s)
                progress.end()
                continue
            content = prometheus_text(checked)
            board.content = content.encode()
            if out is not None:
                write_report(out, content)
            if once:
                return Result("watch", checked, 3 if checked.verdict == "fail" else 0)
            time.sleep(every_s)
