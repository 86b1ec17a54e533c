"""The story: each command as a short list of stages, in order.

Stages and values are imported where they are used: `dsdeploy --help` must not pay for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from dsdeploy.core.errors import InstallError, NoModelFits, NotConfirmed
from dsdeploy.core.results import Result
from dsdeploy.core.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dsdeploy.adapters.bundle.keys import KeyPair
    from dsdeploy.adapters.gateway.certificate import Given
    from dsdeploy.adapters.hubs import Source
    from dsdeploy.adapters.reports import Report, ReportSigners
    from dsdeploy.adapters.targets.kubernetes.place import Place as ClusterPlace
    from dsdeploy.core.bundle.values import Inventory
    from dsdeploy.core.cost import Cost
    from dsdeploy.core.fleet import Fleet
    from dsdeploy.core.layout import Layout
    from dsdeploy.core.progress import Progress
    from dsdeploy.core.values import (
        Checked,
        Fetched,
        Installed,
        Operation,
        Packed,
        Plan,
        Profile,
        Release,
        RenderedFiles,
        Status,
        Upgraded,
        Weights,
    )
    from dsdeploy.stages.bundle.create import Created, Order
    from dsdeploy.stages.bundle.inspect import Difference, Inspected, Signers
    from dsdeploy.stages.bundle.load import Consent, Loaded, Place
    from dsdeploy.stages.bundle.recut import Recut
    from dsdeploy.stages.bundle.verify import Verified
    from dsdeploy.stages.bundle.versions import Log, Pruned, Switched
    from dsdeploy.stages.check import Selection
    from dsdeploy.stages.estimate import Estimate
    from dsdeploy.stages.keys import Change, Keys
    from dsdeploy.stages.plan import Hardware
    from dsdeploy.stages.plan.differences import PlanDifference
    from dsdeploy.stages.plan.wanted import Bought, Wanted

    Agree = Callable[[tuple[Operation, ...]], bool]

P = TypeVar("P", "Profile", "Fleet")


def profile(save: Path | None) -> Result[Profile]:
    from dsdeploy.stages.profile import detect_profile

    return _profiled(detect_profile(), save)


def profile_collected(path: Path, save: Path | None) -> Result[Profile]:
    from dsdeploy.stages.profile import read_collected

    return _profiled(read_collected(path), save)


def profile_hosts(inventory: Path, connect_s: int, save: Path | None, done: Callable[[str], None]) -> Result[Fleet]:
    from dsdeploy.stages.profile import ask_fleet

    return _profiled(ask_fleet(inventory, connect_s, done), save)


def profile_nodes(context: str | None, namespace: str | None, save: Path | None) -> Result[Fleet]:
    from dsdeploy.stages.profile import ask_nodes

    return _profiled(ask_nodes(context, namespace), save)


def _profiled(found: P, save: Path | None) -> Result[P]:
    from dsdeploy.stages.profile import save_profile

    if save is not None:
        save_profile(found, save)
    return Result("profile", found)


def collector() -> Result[str]:
    from dsdeploy.adapters.collector import collector_script

    return Result("profile", collector_script())


def models_list(family: str | None, licence: str | None, format: str | None) -> Result[tuple[dict[str, Any], ...]]:
    from dsdeploy.stages.models import list_models

    return Result("models list", list_models(family, licence, format))


def models_show(name: str) -> Result[dict[str, Any]]:
    from dsdeploy.stages.models import show_model

    return Result("models show", show_model(name))


def plan(
    wanted: Wanted, bought: Bought | None, hardware: Path | None, out: Path | None, report: Report | None = None
) -> Result[Plan]:
    from dsdeploy.stages.plan import choose_plan, load_request, save_plan

    write = _report_writer(report)
    request = load_request(wanted.file) if wanted.file else None
    on = _hardware(bought, hardware, wanted.oldest_days)
    chosen = choose_plan(wanted.over(request), on)
    if out is not None:
        save_plan(chosen, out)
    write(chosen, on)
    return Result("plan", chosen)


def plan_verify(path: Path, bought: Bought | None, hardware: Path | None, report: Report | None = None) -> Result[Plan]:
    from dsdeploy.stages.plan import load_plan, verify_plan

    write = _report_writer(report)
    found, on = load_plan(path), _hardware(bought, hardware, None)
    verify_plan(found, on)
    write(found, on)
    return Result("plan", found)


def _report_writer(report: Report | None) -> Callable[[Plan, Hardware], None]:
    """Refuses a report that cannot be written, or prices that cannot be read, before anything is planned."""
    if report is None:
        return lambda plan, hardware: None
    from dsdeploy.adapters.prices import read_prices
    from dsdeploy.adapters.reports import demand_page, write_report
    from dsdeploy.core.cost import demand_region

    demand_page(report.path)
    prices = read_prices(report.prices)
    demand_region(report.region, prices)

    def write(plan: Plan, hardware: Hardware) -> None:
        from dsdeploy import __version__
        from dsdeploy.adapters.reports.plan_html import render_plan_page
        from dsdeploy.adapters.reports.plan_page import Extras, plan_page
        from dsdeploy.stages.plan import speed_curve

        extras = Extras(speed_curve(plan, hardware), __version__, report.rented, report.region)
        write_report(report.path, render_plan_page(plan_page(plan, prices, extras), report.language))

    return write


def cost(path: Path, prices: Path | None, *, rented: bool, region: str, months: int) -> Result[Cost]:
    from dsdeploy.adapters.prices import read_prices
    from dsdeploy.core.cost import predict_cost
    from dsdeploy.core.cost.of_plan import service_of

    found, known = _plan(path)[0], read_prices(prices)
    return Result("cost", predict_cost(service_of(found, known, rented=rented, region=region, months=months), known))


def plan_diff(old: Path, new: Path) -> Result[tuple[PlanDifference, ...]]:
    from dsdeploy.stages.plan import load_plan, plan_differences

    return Result("plan", plan_differences(load_plan(old), load_plan(new)))


def _hardware(bought: Bought | None, path: Path | None, oldest_days: int | None) -> Hardware:
    """Hardware to be bought, the machines of a file, or this machine."""
    from dsdeploy.stages.plan import Pools, pool_to_buy
    from dsdeploy.stages.profile import detect_profile, load_fleet, refuse_old

    if bought is not None:
        pool = pool_to_buy(bought.accelerator, bought.count, bought.nodes, bought.device_bytes, bought.host_bytes)
        return Pools((pool,))
    if path is None:
        return detect_profile()
    fleet = load_fleet(path)
    if oldest_days is not None:
        refuse_old(fleet, oldest_days)
    return fleet


def estimate(asked: dict[str, Any]) -> Result[Estimate]:
    from dsdeploy.stages.estimate import Question, estimate

    found = estimate(Question(**asked))
    return Result("estimate", found, 0 if found.fits else NoModelFits.exit_code)


def fetch(
    path: Path, layout: Layout, source: Source, agree: Agree, progress: Progress, *, dry_run: bool
) -> Result[Fetched]:
    from dsdeploy.adapters.hubs import find_hub
    from dsdeploy.adapters.releases import hold_lock
    from dsdeploy.core.values import Fetched
    from dsdeploy.stages.fetch import fetch_operations, fetch_weights

    found, _ = _plan(path)
    with hold_lock(layout):
        held = _held_weights(found, layout)
        hub = find_hub(found.weights_origin, source)
        operations = fetch_operations(found, held, hub.name)
        if dry_run and held is None:
            return Result("fetch", Fetched(None, operations))
        if held is None:
            _consent(agree, operations)
            held = fetch_weights(found, layout, hub, progress)
        return Result("fetch", Fetched(held, operations))


def render(path: Path, layout: Layout, name: str, out: Path, site: Path | None = None) -> Result[RenderedFiles]:
    from dsdeploy.stages.install import awaited_weights, desired_release
    from dsdeploy.stages.render import write_rendered

    found, words = _plan(path)
    weights = _held_weights(found, layout) or awaited_weights(found, layout)
    rendered = _rendered(found, words, desired_release(found, words, weights, layout, name), site)
    write_rendered(rendered, out)
    return Result("render", rendered)


def install(
    path: Path,
    layout: Layout,
    name: str,
    source: Source,
    agree: Agree,
    progress: Progress,
    *,
    dry_run: bool,
    certificate: Given | None = None,
    site: Path | None = None,
    place: ClusterPlace | None = None,
) -> Result[Installed]:
    from dsdeploy.adapters.hubs import find_hub
    from dsdeploy.adapters.releases import hold_lock
    from dsdeploy.adapters.targets import find_target
    from dsdeploy.core.values import Installed
    from dsdeploy.stages import install as stage
    from dsdeploy.stages.fetch import fetch_operations, fetch_weights

    found, words = _plan(path)
    target, hub = find_target(found.target, place, progress), find_hub(found.weights_origin, source)
    with hold_lock(layout):
        held = _held_weights(found, layout)
        release = stage.desired_release(found, words, held or stage.awaited_weights(found, layout), layout, name)
        stage.judge_state(release)
        findings = stage.preflight(found, release, target)
        rendered = _rendered(found, words, release, site)
        findings = (*findings, *stage.rehearse(release, rendered, target))
        own = stage.certificate_operations(release, certificate)
        operations = (*fetch_operations(found, held, hub.name), *own, *target.pending(release, rendered))
        if not operations and release.state == "installed":
            return Result("install", Installed(release, False, findings, ()))
        if dry_run:
            return Result("install", Installed(release, False, findings, operations))
        _consent(agree, operations)
        if held is None:
            held = fetch_weights(found, layout, hub, progress)
            release = stage.desired_release(found, words, held, layout, name)
            rendered = _rendered(found, words, release, site)
        if certificate and own:
            stage.take_certificate(release, certificate)
        done = stage.apply(release, rendered, target, progress)
        return Result("install", Installed(done, True, findings, operations))


def status(layout: Layout) -> Result[tuple[Status, ...]]:
    from dsdeploy.adapters.releases import list_releases
    from dsdeploy.adapters.targets import find_target
    from dsdeploy.core.values import Service, Status

    def seen(release: Release) -> Status:
        """A target that cannot be asked hides its own releases only."""
        try:
            return Status(release, find_target(release.target).observe(release))
        except InstallError as error:
            return Status(release, Service("unknown", None, 0, ()), error.message)

    return Result("status", tuple(map(seen, list_releases(layout))))


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
) -> Result[Upgraded]:
    """The new revision is checked beside the old one where there is room, and in its place always."""
    from dataclasses import replace

    from dsdeploy.adapters.hubs import find_hub
    from dsdeploy.adapters.releases import hold_lock, load_release
    from dsdeploy.adapters.targets import find_target
    from dsdeploy.core.values import Operation, Upgraded
    from dsdeploy.stages import upgrade as stage
    from dsdeploy.stages.check import check_release
    from dsdeploy.stages.fetch import fetch_operations, fetch_weights
    from dsdeploy.stages.install import awaited_weights, desired_release

    found, words = _plan(path)
    target, hub = find_target(found.target, progress=progress), find_hub(found.weights_origin, source)
    with hold_lock(layout):
        now = load_release(layout, name)
        good = stage.good_revision(now)
        how = stage.choose_mode(mode, found, now, target)
        held = _held_weights(found, layout)
        release = desired_release(found, words, held or awaited_weights(found, layout), layout, now.name)
        rendered = _rendered(found, words, release)
        pending = target.pending(release, rendered)
        left = stage.left_candidate(now, layout)
        if release.state == "installed" and not pending and left is None:
            return Result("upgrade", Upgraded(now, good.release, False, how, (), None, False))
        stage.judge_memory(found, now, target)
        beside = (Operation("try-beside", {"name": now.name}),) if how == "beside" else ()
        fetching = fetch_operations(found, held, hub.name)
        operations = (*fetching, *beside, *pending, Operation("accept-revision", {"number": str(release.revision)}))
        if dry_run:
            return Result("upgrade", Upgraded(release, good.release, False, how, operations, None, False))
        _consent(agree, operations)
        if held is None:
            held = fetch_weights(found, layout, hub, progress)
            release = desired_release(found, words, held, layout, now.name)
            rendered = _rendered(found, words, release)
        if how == "beside":
            candidate = stage.candidate_of(release, layout)
            try:
                stage.start_candidate(candidate, _rendered(found, words, candidate), target, progress)
                checked = check_release(candidate, found, target, selection, progress)
            finally:
                stage.remove_candidate(candidate, target, progress)
            if checked.verdict == "fail":
                return Result("upgrade", Upgraded(now, good.release, False, how, operations, checked, True), 3)
            selection = replace(selection, skip=(*selection.skip, "speed", "quality"))
        elif left is not None:
            stage.remove_candidate(left, target, progress)
        try:
            tried = stage.switch(release, rendered, good, target, progress)
            checked = check_release(tried, found, target, selection, progress)
        except InstallError:
            stage.put_back(good, target, progress)
            raise
        if checked.verdict == "fail":
            back = stage.put_back(good, target, progress)
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

    with hold_lock(layout):
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
        _consent(agree, operations)
        if left is not None:
            stage.remove_candidate(left, target, progress)
        done = stage.put_back(revision, target, progress)
        checked = check_release(done, _installed_plan(done), target, selection, progress)
        exit_code = 3 if checked.verdict == "fail" else 0
        return Result("rollback", Upgraded(done, now, True, "in-place", operations, checked, False), exit_code)


def logs(layout: Layout, name: str | None, lines: int, *, follow: bool) -> Iterator[str]:
    from dsdeploy.adapters.releases import load_release
    from dsdeploy.adapters.targets import find_target

    release = load_release(layout, name)
    return find_target(release.target).logs(release, lines, follow=follow)


def support_bundle(
    layout: Layout, name: str | None, out: Path, lines: int, language: str, progress: Progress
) -> Result[Packed]:
    from dsdeploy.adapters.releases import load_release
    from dsdeploy.adapters.targets import find_target
    from dsdeploy.stages.check import Selection, check_release
    from dsdeploy.stages.support import gather, pack

    release = load_release(layout, name)
    target = find_target(release.target)
    content = gather(release, target, lines, progress)
    selection = Selection(skip=("speed", "quality", "weights-unchanged"))
    checked = check_release(release, _installed_plan(release), target, selection, progress)
    return Result("support-bundle", pack(release, content, checked, language, out))


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
    """Checks again and again until interrupted; the result is the last look, where `once` asks for one."""
    import time
    from contextlib import nullcontext

    from dsdeploy.adapters.metrics_listener import MetricsBoard, show_metrics
    from dsdeploy.adapters.releases import load_release
    from dsdeploy.adapters.reports import write_report
    from dsdeploy.adapters.targets import find_target
    from dsdeploy.core.errors import InvalidRequest
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
            checked = check_release(release, _installed_plan(release), target, selection, progress)
            content = prometheus_text(checked)
            board.content = content.encode()
            if out is not None:
                write_report(out, content)
            if once:
                return Result("watch", checked, 3 if checked.verdict == "fail" else 0)
            time.sleep(every_s)


def uninstall(
    layout: Layout, name: str | None, agree: Agree, progress: Progress, *, dry_run: bool
) -> Result[Installed]:
    from dsdeploy.adapters.releases import hold_lock, load_release
    from dsdeploy.adapters.targets import find_target
    from dsdeploy.core.values import Installed
    from dsdeploy.stages.install import remove
    from dsdeploy.stages.upgrade import left_candidate, remove_candidate

    with hold_lock(layout):
        release = load_release(layout, name)
        target = find_target(release.target)
        left = left_candidate(release, layout)
        operations = (*(target.removal(left) if left else ()), *target.removal(release))
        if dry_run:
            return Result("uninstall", Installed(release, False, (), operations))
        _consent(agree, operations)
        if left is not None:
            remove_candidate(left, target, progress)
        remove(release, target.removal(release), target, progress)
        return Result("uninstall", Installed(release, True, (), operations))


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

    with hold_lock(layout):
        release = load_release(layout, name)
        change = plan_change(release)
        operations = stage.operations(release, change)
        if dry_run:
            return Result(command, stage.Keys(release.name, change.keys, None, False, operations))
        _consent(agree, operations)
        stage.apply(release, change, out)
        find_target(release.target).take_keys(release, change.keys)
        secret = None if out else change.secret
        return Result(command, stage.Keys(release.name, change.keys, secret, True, operations))


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
) -> Result[Checked]:
    """An earlier report and a key are read before any check, so that none runs in vain."""
    from dataclasses import replace

    from dsdeploy.adapters.bundle.keys import load_private
    from dsdeploy.adapters.releases import load_release
    from dsdeploy.adapters.reports import find_report, read_earlier, sign_report, write_report
    from dsdeploy.adapters.targets import find_target
    from dsdeploy.core.comparison import compare
    from dsdeploy.stages.check import check_release

    render_report = find_report(report) if report else None
    earlier = read_earlier(against) if against else None
    key = load_private(str(sign_key)) if sign_key else None
    release = load_release(layout, name)
    checked = check_release(release, _installed_plan(release), find_target(release.target), selection, progress)
    if earlier is not None:
        checked = replace(checked, changes=compare(earlier, checked.findings))
    exit_code = {"fail": 3, "warn": 4 if strict else 0}.get(checked.verdict, 0)
    result = Result("check", checked, exit_code)
    if report and render_report:
        content = render_report(result, language)
        write_report(report, content)
        if key is not None:
            sign_report(report, content, checked, key)
    return result


def report_verify(path: Path, layout: Layout, trust: tuple[Path, ...]) -> Result[ReportSigners]:
    from dsdeploy.adapters.reports import verify_report
    from dsdeploy.stages.bundle.opening import trusted_keys

    return Result("report verify", verify_report(path, trusted_keys(trust, layout.home)))


def bundle_create(path: Path, layout: Layout, order: Order, progress: Progress) -> Result[Created]:
    import os
    import shutil
    from dataclasses import replace

    from dsdeploy.adapters.bundle.images import save_images, save_own_images
    from dsdeploy.adapters.templates import chart_folder
    from dsdeploy.core.bundle.deployed_images import images_named, lacking
    from dsdeploy.core.errors import PayloadMissing
    from dsdeploy.stages.bundle.create import create
    from dsdeploy.stages.bundle.gather import describe_images, gather, judge_images
    from dsdeploy.stages.install import desired_release

    found, words = _plan(path)
    order = replace(order, name=order.name or found.model_id.lower())
    held = _held_weights(found, layout)
    if held is None:
        message = text("weights-not-fetched", model=found.model_id, format=found.format, home=layout.home)
        raise PayloadMissing(message, hint=text("weights-not-fetched-hint"))
    staging = order.out.with_name(order.out.name + ".images")
    images = save_images(order.images, staging)
    named: tuple[str, ...] = ()
    if found.target != "process":
        named = images_named(_rendered(found, words, desired_release(found, words, held, layout, "default")))
        images = (*images, *save_own_images(named, staging))
        images = (*images, *save_images(lacking(named, describe_images(images)), staging))
    folder = layout.weights(found.model_id, found.format)
    gathered = gather(path, (folder,), order.include, images, order.wheels, chart_folder())
    judge_images(named, gathered)
    made = create(order, gathered, dict(os.environ), progress)
    shutil.rmtree(staging, ignore_errors=True)
    return Result("bundle create", made)


def bundle_verify(
    folders: tuple[Path, ...], layout: Layout, trust: tuple[Path, ...], progress: Progress, *, allow_unsigned: bool
) -> Result[Verified]:
    from dsdeploy.stages.bundle.opening import trusted_keys
    from dsdeploy.stages.bundle.verify import verify

    return Result("bundle verify", verify(folders, trusted_keys(trust, layout.home), allow_unsigned, progress))


def bundle_load(
    folders: tuple[Path, ...],
    layout: Layout,
    trust: tuple[Path, ...],
    consent: Consent,
    place: Place,
    progress: Progress,
) -> Result[Loaded]:
    from dsdeploy.stages.bundle.load import load
    from dsdeploy.stages.bundle.opening import trusted_keys

    loaded = load(folders, layout, trusted_keys(trust, layout.home), consent, progress)
    return Result("bundle load", _deliver(loaded, layout, place, progress))


def install_bundle(
    folder: Path,
    layout: Layout,
    name: str,
    trust: tuple[Path, ...],
    consent: Consent,
    agree: Agree,
    progress: Progress,
    *,
    dry_run: bool,
    certificate: Given | None = None,
    site: Path | None = None,
    place: ClusterPlace | None = None,
) -> Result[Installed]:
    """From a medium, or from a version that is loaded already, to a running service. No network is used."""
    from pathlib import Path

    from dsdeploy.adapters.bundle.images import DOCKER
    from dsdeploy.adapters.hubs import Source
    from dsdeploy.core.errors import BundleUsage
    from dsdeploy.core.values import Operation
    from dsdeploy.stages.bundle.load import Place, loaded_plan

    plan = loaded_plan(folder, layout)
    if plan is None and dry_run:
        raise BundleUsage(text("bundle-not-loaded", path=folder), hint=text("bundle-not-loaded-hint"))
    if plan is None:
        _consent(agree, (Operation("load-bundle", {"path": str(folder)}),))
        loaded = bundle_load((folder,), layout, trust, consent, Place(None), progress).data
        plan = Path(loaded.plan)
        _deliver(loaded, layout, Place(DOCKER if _plan(plan)[0].target == "compose" else None), progress)
    return install(
        plan, layout, name, Source(), agree, progress, dry_run=dry_run, certificate=certificate, site=site, place=place
    )


def bundle_recut(
    folders: tuple[Path, ...],
    layout: Layout,
    trust: tuple[Path, ...],
    order: Order,
    progress: Progress,
    *,
    move: bool,
) -> Result[Recut]:
    from dsdeploy.adapters.bundle.keys import load_private
    from dsdeploy.core.errors import BundleUsage
    from dsdeploy.stages.bundle.create import volume_capacity
    from dsdeploy.stages.bundle.opening import open_bundle, trusted_keys
    from dsdeploy.stages.bundle.recut import recut

    if not order.keys and not order.allow_unsigned:
        raise BundleUsage(text("bundle-no-key"), hint=text("bundle-no-key-hint"))
    signing, capacity = tuple(map(load_private, order.keys)), volume_capacity(order.volume)
    opened = open_bundle(folders, trusted_keys(trust, layout.home), order.allow_unsigned)
    return Result("bundle recut", recut(opened, order.out, capacity, signing, progress, move=move))


def bundle_inventory(layout: Layout, out: Path) -> Result[Inventory]:
    import json

    from dsdeploy.adapters.files import write_whole
    from dsdeploy.core.documents import to_document
    from dsdeploy.core.errors import BundleNotWritable
    from dsdeploy.stages.bundle.versions import inventory

    found = inventory(layout)
    try:
        write_whole(out, json.dumps(to_document(found), indent=1) + "\n", 0o644)
    except OSError as error:
        message = text("not-writable", path=out, reason=error.strerror or error)
        raise BundleNotWritable(message, hint=text("not-writable-hint")) from error
    return Result("bundle inventory", found)


def bundle_log(layout: Layout) -> Result[Log]:
    from dsdeploy.core.errors import BundleAltered
    from dsdeploy.stages.bundle.versions import read_log

    found = read_log(layout)
    return Result("bundle log", found, 0 if found.broken_at is None else BundleAltered.exit_code)


def bundle_prune(layout: Layout, keep: int, agree: Agree, *, dry_run: bool) -> Result[Pruned]:
    from dsdeploy.stages.bundle.versions import Pruned, prunable, prune, prune_operations

    old = prunable(layout, keep)
    if dry_run or not old:
        return Result("bundle prune", Pruned((), 0, prune_operations(old)))
    _consent(agree, prune_operations(old))
    return Result("bundle prune", prune(layout, old))


def bundle_rollback(layout: Layout, name: str | None, sequence: int | None) -> Result[Switched]:
    from dsdeploy.stages.bundle.versions import roll_back

    return Result("bundle rollback", roll_back(layout, name, sequence))


def bundle_inspect(folders: tuple[Path, ...], layout: Layout, trust: tuple[Path, ...]) -> Result[Inspected]:
    from dsdeploy.stages.bundle.inspect import inspect
    from dsdeploy.stages.bundle.opening import trusted_keys

    return Result("bundle inspect", inspect(folders, trusted_keys(trust, layout.home)))


def bundle_who_signed(folders: tuple[Path, ...], layout: Layout, trust: tuple[Path, ...]) -> Result[Signers]:
    from dsdeploy.stages.bundle.inspect import who_signed
    from dsdeploy.stages.bundle.opening import trusted_keys

    return Result("bundle who-signed", who_signed(folders, trusted_keys(trust, layout.home)))


def bundle_diff(old: Path, new: Path) -> Result[Difference]:
    from dsdeploy.stages.bundle.inspect import diff

    return Result("bundle diff", diff(old, new))


def bundle_keygen(folder: Path, name: str, algorithm: str) -> Result[KeyPair]:
    from dsdeploy.adapters.bundle.keys import generate_key

    return Result("bundle keygen", generate_key(folder, name, algorithm))


def bundle_public_key(key: str, folder: Path, name: str) -> Result[KeyPair]:
    from dsdeploy.adapters.bundle.keys import export_public

    return Result("bundle public-key", export_public(key, folder, name))


def _installed_plan(release: Release) -> Plan | None:
    """The plan beside the release; None where it was broken since, which a check of its own finds."""
    from pathlib import Path

    from dsdeploy.core.errors import PlanUnreadable
    from dsdeploy.core.layout import PLAN_FILE
    from dsdeploy.stages.plan import load_plan

    try:
        return load_plan(Path(release.folder) / PLAN_FILE)
    except PlanUnreadable:
        return None


def _plan(path: Path) -> tuple[Plan, str]:
    from dsdeploy.stages.plan import load_plan

    return load_plan(path), path.read_text(encoding="utf-8")


def _deliver(loaded: Loaded, layout: Layout, place: Place, progress: Progress) -> Loaded:
    """Brings the images of a loaded version to where they are run from."""
    from dataclasses import replace
    from pathlib import Path

    from dsdeploy.adapters.bundle.images import deliver_images
    from dsdeploy.adapters.bundle.site import Site
    from dsdeploy.stages.bundle.load import record_delivery

    if place.name is None or not loaded.images:
        return loaded
    archives = tuple(map(Path, loaded.images))
    delivered = deliver_images(archives, place.name, Site(layout).uploads, place.ca_file, progress)
    record_delivery(loaded, delivered, place, layout)
    return replace(loaded, delivered=delivered)


def _consent(agree: Agree, operations: tuple[Operation, ...]) -> None:
    if not agree(operations):
        raise NotConfirmed(text("declined"), hint=text("declined-hint"))


def _held_weights(plan: Plan, layout: Layout) -> Weights | None:
    from dsdeploy.stages.fetch import held_weights

    return held_weights(plan, layout)


def _rendered(plan: Plan, words: str, release: Release, site: Path | None = None) -> RenderedFiles:
    if plan.target == "kubernetes":
        from dataclasses import replace

        from dsdeploy.adapters.cluster.site import load_site
        from dsdeploy.adapters.engines import find_engine_adapter
        from dsdeploy.core.kubernetes import kubernetes_place
        from dsdeploy.core.layout import SITE_FILE
        from dsdeploy.core.values import RenderedFile
        from dsdeploy.stages.render_kubernetes import render_kubernetes

        known, said = load_site(site, plan, release)
        d, file, engine = plan.deployment, release.weights.main_file, find_engine_adapter(plan.engine)
        leader = engine.launch(d, kubernetes_place(d, file))
        worker = engine.launch(d, kubernetes_place(d, file, worker=True)) if d.nodes > 1 else None
        rendered = render_kubernetes(d, leader, worker, release.weights.files, known, words)
        return replace(rendered, files=(*rendered.files, RenderedFile(SITE_FILE, said)))
    if plan.target == "compose":
        from functools import partial

        from dsdeploy.adapters.engines import find_engine_adapter
        from dsdeploy.adapters.targets.compose import ComposeTarget
        from dsdeploy.stages.render_compose import render_compose

        launch = partial(find_engine_adapter(plan.engine).launch, plan.deployment)
        return render_compose(plan, words, release, launch, ComposeTarget().images)
    from dsdeploy.adapters.engines.llamacpp import engine_command
    from dsdeploy.stages.render import render_process

    return render_process(plan, words, release, engine_command())
