"""What checks found, in the text format that Prometheus reads (exposition formats, version 0.0.4)."""

from datetime import datetime

from dsdeploy.core.checks import group_of
from dsdeploy.core.percentiles import percentile
from dsdeploy.core.values import Checked

# Name → labels besides `release`, and what it is. All are gauges.
METRICS: dict[str, tuple[tuple[str, ...], str]] = {
    "dsdeploy_check_status": (
        ("check", "group", "status"), "1 for the status that a check has, 0 for the others.",
    ),
    "dsdeploy_check_verdict": (("verdict",), "1 for the verdict over all checks, 0 for the others."),
    "dsdeploy_check_last_run_timestamp_seconds": ((), "When the checks last ran."),
    "dsdeploy_check_duration_seconds": ((), "How long they took."),
    "dsdeploy_release_info": (
        ("model", "format", "target", "revision", "version"), "The release that is checked.",
    ),
    "dsdeploy_speed_first_token_seconds": (("at_once",), "Median time to first token, as the checks measured it."),
    "dsdeploy_speed_output_tokens_per_second": (("at_once",), "Tokens a second of all users together."),
}  # fmt: skip
STATUSES = ("pass", "warn", "fail", "skip")
VERDICTS = ("pass", "warn", "fail")

Sample = tuple[tuple[str, ...], float]


def prometheus_text(checked: Checked) -> str:
    release = checked.release
    samples: dict[str, list[Sample]] = {
        "dsdeploy_check_status": [
            ((one.id, group_of(one.id), status), float(one.status == status))
            for one in checked.findings for status in STATUSES
        ],
        "dsdeploy_check_verdict": [((one,), float(checked.verdict == one)) for one in VERDICTS],
        "dsdeploy_check_last_run_timestamp_seconds": [((), datetime.fromisoformat(checked.checked_at).timestamp())],
        "dsdeploy_check_duration_seconds": [((), checked.took_s)],
        "dsdeploy_release_info": [(
            (release.model_id, release.format, release.target, str(release.revision), checked.tool_version), 1.0
        )],
        "dsdeploy_speed_first_token_seconds": [
            ((str(load.at_once),), percentile(sorted(one.first_s for one in load.samples), 50))
            for load in checked.loads if load.samples
        ],
        "dsdeploy_speed_output_tokens_per_second": [
            ((str(load.at_once),), load.tokens_per_s) for load in checked.loads
        ],
    }  # fmt: skip
    return "".join(_family(name, release.name, samples[name]) for name in METRICS if samples[name])


def _family(name: str, release: str, samples: list[Sample]) -> str:
    labels, words = METRICS[name]
    keys = ("release", *labels)
    lines = (
        f"{name}{{{_labels(dict(zip(keys, (release, *values), strict=True)))}}} {value:.10g}\n"
        for values, value in dict.fromkeys(samples)  # two broken checkers are one sample: a duplicate voids the scrape
    )
    return f"# HELP {name} {words}\n# TYPE {name} gauge\n" + "".join(lines)


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
