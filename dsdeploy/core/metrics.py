"""What checks found, in the text format that Prometheus reads (exposition formats, version 0.0.4)."""

from collections.abc import Iterable
from datetime import datetime

from dsdeploy.core.checks import group_of
from dsdeploy.core.percentiles import percentile
from dsdeploy.core.values import Checked

_STATUSES = ("pass", "warn", "fail", "skip")


def prometheus_text(checked: Checked) -> str:
    release = checked.release.name
    at = datetime.fromisoformat(checked.checked_at).timestamp()
    firsts = [(load.at_once, sorted(one.first_s for one in load.samples)) for load in checked.loads if load.samples]
    families: tuple[tuple[str, str, list[tuple[dict[str, str], float]]], ...] = (
        ("dsdeploy_check_status", "1 for the status that a check has, 0 for the others.", [
            ({"check": one.id, "group": group_of(one.id), "status": status}, float(one.status == status))
            for one in checked.findings for status in _STATUSES
        ]),
        ("dsdeploy_check_verdict", "1 for the verdict over all checks, 0 for the others.", [
            ({"verdict": one}, float(checked.verdict == one)) for one in ("pass", "warn", "fail")
        ]),
        ("dsdeploy_check_last_run_timestamp_seconds", "When the checks last ran.", [({}, at)]),
        ("dsdeploy_check_duration_seconds", "How long they took.", [({}, checked.took_s)]),
        ("dsdeploy_release_info", "The release that is checked.", [({
            "model": checked.release.model_id, "format": checked.release.format, "target": checked.release.target,
            "revision": str(checked.release.revision), "version": checked.tool_version,
        }, 1.0)]),
        ("dsdeploy_speed_first_token_seconds", "Median time to first token, as the checks measured it.", [
            ({"at_once": str(at_once)}, percentile(values, 50)) for at_once, values in firsts
        ]),
        ("dsdeploy_speed_output_tokens_per_second", "Tokens a second of all users together.", [
            ({"at_once": str(load.at_once)}, load.tokens_per_s) for load in checked.loads
        ]),
    )  # fmt: skip
    return "".join(_family(name, words, release, samples) for name, words, samples in families if samples)


def _family(name: str, words: str, release: str, samples: Iterable[tuple[dict[str, str], float]]) -> str:
    lines = (f"{name}{{{_labels({'release': release} | labels)}}} {value:.10g}\n" for labels, value in samples)
    return f"# HELP {name} {words}\n# TYPE {name} gauge\n" + "".join(lines)


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
