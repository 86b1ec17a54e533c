"""Templates and the chart: in the checkout's `templates/` and `helm/`, or in the installed wheel."""

from pathlib import Path

_PLACES = (Path(__file__).parents[2] / "templates", Path(__file__).parents[1] / "templates")


def template(name: str) -> str:
    """The text of one template. Raises FileNotFoundError for an installation that lacks it."""
    for place in _PLACES:
        if (place / name).is_file():
            return (place / name).read_text(encoding="utf-8")
    raise FileNotFoundError(name)


def chart_folder() -> Path | None:
    """The Helm chart; None for an installation that lacks it."""
    return next((place for one in _PLACES if (place := one.parent / "helm/dsdeploy").is_dir()), None)
