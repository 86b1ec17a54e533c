"""The story: each command as a short list of stages, in order."""

from pathlib import Path
from typing import Any

from dsdeploy.core.results import Result
from dsdeploy.core.values import Plan, Profile, Request


def profile(save: Path | None) -> Result[Profile]:
    from dsdeploy.stages.profile import detect_profile, save_profile

    found = detect_profile()
    if save is not None:
        save_profile(found, save)
    return Result("profile", found)


def models_list() -> Result[tuple[dict[str, Any], ...]]:
    from dsdeploy.stages.models import list_models

    return Result("models list", list_models())


def models_show(name: str) -> Result[dict[str, Any]]:
    from dsdeploy.stages.models import show_model

    return Result("models show", show_model(name))


def plan(request: Request, hardware: Path | None, out: Path | None) -> Result[Plan]:
    from dsdeploy.stages.plan import choose_plan, save_plan

    chosen = choose_plan(request, _profile(hardware))
    if out is not None:
        save_plan(chosen, out)
    return Result("plan", chosen)


def plan_verify(path: Path, hardware: Path | None) -> Result[Plan]:
    from dsdeploy.stages.plan import load_plan, verify_plan

    found = load_plan(path)
    verify_plan(found, _profile(hardware))
    return Result("plan", found)


def _profile(hardware: Path | None) -> Profile:
    from dsdeploy.stages.profile import detect_profile, load_profile

    return detect_profile() if hardware is None else load_profile(hardware)
