"""Where a service can run: every target by its name in a plan."""

from typing import TYPE_CHECKING

from dsdeploy.adapters.targets.base import Target
from dsdeploy.core.progress import SILENT, Progress

if TYPE_CHECKING:
    from dsdeploy.adapters.targets.kubernetes.place import Place


def find_target(name: str, place: "Place | None" = None, progress: Progress = SILENT) -> Target:
    """Raises KeyError for a name that no plan can hold; a target's libraries load only here."""
    if name == "process":
        from dsdeploy.adapters.targets.process import ProcessTarget

        return ProcessTarget()
    if name == "compose":
        from dsdeploy.adapters.targets.compose import ComposeTarget

        return ComposeTarget()
    if name == "kubernetes":
        from dsdeploy.adapters.targets.kubernetes import KubernetesTarget

        return KubernetesTarget(place, progress)
    raise KeyError(name)
