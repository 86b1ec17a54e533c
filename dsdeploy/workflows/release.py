"""A plan becomes a service, and goes again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsdeploy.core.errors import InstallError
from dsdeploy.core.results import Result
from dsdeploy.workflows.steps import ask_consent, read_plan, rendered_release, weights_held

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dsdeploy.adapters.gateway.certificate import Given
    from dsdeploy.adapters.hubs import Source
    from dsdeploy.adapters.targets.kubernetes.place import Place as ClusterPlace
    from dsdeploy.core.layout import Layout
    from dsdeploy.core.progress import Progress
    from dsdeploy.core.values import (
        Fetched,
        Installed,
        Operation,
        Release,
        RenderedFiles,
        Status,
    )

    Agree = Callable[[tuple[Operation, ...]], bool]


def fetch(
    path: Path, layout: Layout, source: Source, agree: Agree, progress: Progress, *, dry_run: bool
) -> Result[Fetched]:
    from dsdeploy.adapters.hubs import find_hub
    from dsdeploy.adapters.releases import hold_lock
    from dsdeploy.core.values import Fetched
    from dsdeploy.stages.fetch import fetch_operations, fetch_weights

    found, _ = read_plan(path)
    with hold_lock(layout, "fetch"):
        held = weights_held(found, layout)
        hub = find_hub(found.weights_origin, source)
        operations = fetch_operations(found, held, hub.place)
        if dry_run and held is None:
            return Result("fetch", Fetched(None, operations))
        if held is None:
            ask_consent(agree, operations)
            held = fetch_weights(found, layout, hub, progress)
        return Result("fetch", Fetched(held, operations))


def render(path: Path, layout: Layout, name: str, out: Path, site: Path | None = None) -> Result[RenderedFiles]:
    from dsdeploy.stages.install import awaited_weights, desired_release
    from dsdeploy.stages.render import write_rendered

    found, words = read_plan(path)
    weights = weights_held(found, layout) or awaited_weights(found, layout)
    rendered = rendered_release(found, words, desired_release(found, words, weights, layout, name), site)
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

    found, words = read_plan(path)
    target, hub = find_target(found.target, place, progress), find_hub(found.weights_origin, source)
    with hold_lock(layout, "install"):
        held = weights_held(found, layout)
        release = stage.desired_release(found, words, held or stage.awaited_weights(found, layout), layout, name)
        stage.judge_state(release)
        findings = stage.preflight(found, release, target)
        rendered = rendered_release(found, words, release, site)
        findings = (*findings, *stage.rehearse(release, rendered, target))
        own = stage.certificate_operations(release, certificate)
        operations = (*fetch_operations(found, held, hub.place), *own, *target.pending(release, rendered))
        if not operations and release.state == "installed":
            return Result("install", Installed(release, False, findings, ()))
        if dry_run:
            return Result("install", Installed(release, False, findings, operations))
        ask_consent(agree, operations)
        if held is None:
            held = fetch_weights(found, layout, hub, progress)
            release = stage.desired_release(found, words, held, layout, name)
            rendered = rendered_release(found, words, release, site)
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


def uninstall(
    layout: Layout, name: str | None, agree: Agree, progress: Progress, *, dry_run: bool
) -> Result[Installed]:
    from dsdeploy.adapters.releases import hold_lock, load_release
    from dsdeploy.adapters.targets import find_target
    from dsdeploy.core.values import Installed
    from dsdeploy.stages.install import remove
    from dsdeploy.stages.upgrade import left_candidate, remove_candidate

    with hold_lock(layout, "uninstall"):
        release = load_release(layout, name)
        target = find_target(release.target)
        left = left_candidate(release, layout)
        operations = (*(target.removal(left) if left else ()), *target.removal(release))
        if dry_run:
            return Result("uninstall", Installed(release, False, (), operations))
        ask_consent(agree, operations)
        if left is not None:
            remove_candidate(left, target, progress)
        remove(release, target.removal(release), target, progress)
        return Result("uninstall", Installed(release, True, (), operations))
