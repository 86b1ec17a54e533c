"""Where a service can run: every target by its name in a plan."""

from dsdeploy.adapters.targets.base import Target


def find_target(name: str) -> Target:
    """Raises KeyError for a name that no plan can hold; a target's libraries load only here."""
    if name == "process":
        from dsdeploy.adapters.targets.process import ProcessTarget

        return ProcessTarget()
    if name == "compose":
        from dsdeploy.adapters.targets.compose import ComposeTarget

        return ComposeTarget()
    if name == "kubernetes":
        from dsdeploy.adapters.targets.kubernetes import KubernetesTarget

        return KubernetesTarget()
    raise KeyError(name)
