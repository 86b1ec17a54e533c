"""The Helm chart: in the checkout's `helm/`, or in the installed wheel."""

from pathlib import Path

_PLACES = (Path(__file__).parents[2] / "helm", Path(__file__).parents[1] / "helm")


def chart_folder() -> Path:
    """The chart's folder, as Helm takes it. Raises FileNotFoundError for an installation that lacks it."""
    for place in _PLACES:
        if (place / "dsdeploy" / "Chart.yaml").is_file():
            return place / "dsdeploy"
    raise FileNotFoundError("helm/dsdeploy")
