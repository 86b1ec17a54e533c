"""What Prometheus and Grafana read, for whoever switches them on."""

from dsdeploy.adapters.templates import engine_metrics, template
from dsdeploy.core.deployment import Launch
from dsdeploy.core.layout import MONITORING_FOLDER
from dsdeploy.core.values import RenderedFile
from dsdeploy.stages.render_compose.words import filled

_TEMPLATES = (
    "prometheus.yml",
    "rules.yml",
    "grafana/provisioning/datasources/prometheus.yaml",
    "grafana/provisioning/dashboards/dsdeploy.yaml",
)
_DASHBOARD = "grafana/dashboards/service.json"  # no template: Grafana's own {{ }} are not Jinja's
_INTERVAL_S = 15
_WAITING, _FIRST_TOKEN_S = 20, 10  # where alerts begin: the chart's own


def monitoring_files(engine: str, launch: Launch, upstream: str, load_s: int) -> tuple[RenderedFile, ...]:
    """`upstream` is the name that every engine answers to; alerts wait `load_s` for one that loads."""
    values = {
        "upstream": upstream,
        "port": launch.port,
        "path": launch.metrics_path,
        "metrics": engine_metrics(engine.partition("-")[0]) if launch.metrics_path else None,
        "interval_s": _INTERVAL_S,
        "load_s": load_s,
        "waiting": _WAITING,
        "first_token_s": _FIRST_TOKEN_S,
    }
    files = {one: filled(f"monitoring/{one}.j2", **values) for one in _TEMPLATES}
    files[_DASHBOARD] = template(f"monitoring/{_DASHBOARD}")
    return tuple(RenderedFile(f"{MONITORING_FOLDER}/{name}", content) for name, content in files.items())
