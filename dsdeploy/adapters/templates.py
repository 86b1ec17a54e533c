"""The Jinja templates and the chart: in the checkout's `templates/` and `helm/`, or in the installed wheel."""

import json
from pathlib import Path

_ROOTS = (Path(__file__).parents[2], Path(__file__).parents[1])
_CHART = "helm/dsdeploy"
_GATEWAY = f"{_CHART}/files"


def template(name: str) -> str:
    """The text of one template. Raises FileNotFoundError for an installation that lacks it."""
    return _find(f"templates/{name}").read_text(encoding="utf-8")


def gateway_files() -> dict[str, str]:
    """The gateway's configuration by file name: the chart's own, so that every target has the same gateway."""
    folder = _find(f"{_GATEWAY}/haproxy.cfg").parent
    paths = (*folder.glob("*.cfg"), *folder.glob("*.lua"))
    return {one.name: one.read_text(encoding="utf-8") for one in sorted(paths)}


def engine_metrics(engine: str) -> dict[str, str] | None:
    """What an engine names its own metrics, as the chart's alerts ask for them; None for one that has none recorded."""
    known = json.loads(_find(f"{_GATEWAY}/monitoring/metrics.json").read_text(encoding="utf-8"))
    found: dict[str, str] | None = known.get(engine)
    return found


def chart_folder() -> Path:
    """The Helm chart. Raises FileNotFoundError for an installation that lacks it."""
    return _find(f"{_CHART}/Chart.yaml").parent


def _find(name: str) -> Path:
    for root in _ROOTS:
        if (root / name).is_file():
            return root / name
    raise FileNotFoundError(name)
