"""The story: each command as a short list of stages, in order."""

from pathlib import Path
from typing import Any

from dsdeploy.core.results import Result
from dsdeploy.core.values import Profile


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
