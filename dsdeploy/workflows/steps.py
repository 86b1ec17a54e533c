"""What several commands do on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsdeploy.core.errors import NotConfirmed
from dsdeploy.core.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dsdeploy.core.deployment import Launch, Place
    from dsdeploy.core.layout import Layout
    from dsdeploy.core.values import (
        Operation,
        Plan,
        Release,
        RenderedFiles,
        Weights,
    )

    Agree = Callable[[tuple[Operation, ...]], bool]


def read_plan(path: Path) -> tuple[Plan, str]:
    from dsdeploy.stages.plan import load_plan

    return load_plan(path), path.read_text(encoding="utf-8")


def installed_plan(release: Release) -> Plan | None:
    """The plan beside the release; None where it was broken since, which a check of its own finds."""
    from pathlib import Path

    from dsdeploy.core.errors import PlanUnreadable
    from dsdeploy.core.layout import PLAN_FILE
    from dsdeploy.stages.plan import load_plan

    try:
        return load_plan(Path(release.folder) / PLAN_FILE)
    except PlanUnreadable:
        return None


def installed_rendering(release: Release) -> Callable[[], RenderedFiles]:
    """What makes anew the files that the plan beside the release stands for. Raises a DsdeployError when called."""

    def render() -> RenderedFiles:
        from pathlib import Path

        from dsdeploy.core.layout import PLAN_FILE, SITE_FILE

        folder = Path(release.folder)
        site = folder / SITE_FILE
        return rendered_release(*read_plan(folder / PLAN_FILE), release, site if site.is_file() else None)

    return render


def ask_consent(agree: Agree, operations: tuple[Operation, ...]) -> None:
    if not agree(operations):
        raise NotConfirmed(text("declined"), hint=text("declined-hint"))


def weights_held(plan: Plan, layout: Layout) -> Weights | None:
    from dsdeploy.stages.fetch import held_weights

    return held_weights(plan, layout)


def planned_launch(plan: Plan, place: Place) -> Launch:
    """How the plan's engine starts there. Raises RenderError where the plan was given arguments that it cannot start
    with: its memory was counted for others."""
    from dsdeploy.adapters.engines import find_engine_adapter
    from dsdeploy.adapters.engines.judge import hold_arguments

    launch = find_engine_adapter(plan.engine).launch(plan.deployment, place)
    hold_arguments(plan.engine_arguments, launch.argv)
    return launch


def rendered_release(plan: Plan, words: str, release: Release, site: Path | None = None) -> RenderedFiles:
    if plan.target == "kubernetes":
        from dataclasses import replace

        from dsdeploy.adapters.cluster.site import load_site
        from dsdeploy.core.kubernetes import kubernetes_place
        from dsdeploy.core.layout import SITE_FILE
        from dsdeploy.core.values import RenderedFile
        from dsdeploy.stages.render_kubernetes import render_kubernetes

        known, said = load_site(site, plan, release)
        d, file = plan.deployment, release.weights.main_file
        leader = planned_launch(plan, kubernetes_place(d, file))
        worker = planned_launch(plan, kubernetes_place(d, file, worker=True)) if d.nodes > 1 else None
        rendered = render_kubernetes(d, leader, worker, release.weights.files, known, words, users=release.users)
        return replace(rendered, files=(*rendered.files, RenderedFile(SITE_FILE, said)))
    if plan.target == "compose":
        from dsdeploy.adapters.targets.compose import ComposeTarget
        from dsdeploy.adapters.targets.compose.groups import with_numbers
        from dsdeploy.stages.render_compose import render_compose

        def launch(place: Place) -> Launch:
            return with_numbers(planned_launch(plan, place))

        return render_compose(plan, words, release, launch, ComposeTarget().images)
    from dsdeploy.adapters.engines.llamacpp import engine_command
    from dsdeploy.stages.render import render_process

    return render_process(plan, words, release, engine_command())
