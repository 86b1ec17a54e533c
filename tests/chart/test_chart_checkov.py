"""checkov over what the chart renders: nothing fails but what is listed here with its reason."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.chart.rendering import EXAMPLES, change, example, render

pytestmark = pytest.mark.helm
CHECKOV = (
    Path(os.environ.get("DSDEPLOY_TEST_CACHE") or Path.home() / ".cache" / "dsdeploy-tests") / "checkov/bin/checkov"
)

# check -> the resource it fails on, and why that is meant
WAIVERS = {
    ("CKV_K8S_8", "Pod.closed.r-dsdeploy-test"): "runs once and ends: nothing to keep alive",
    ("CKV_K8S_9", "Pod.closed.r-dsdeploy-test"): "runs once and ends: nothing is sent to it",
    (
        "CKV_K8S_22",
        "Deployment.closed.r-dsdeploy-engine",
    ): "nvidia-cdi-hook may need a writable root; a value closes it",
}
NAMES = {"leader": "r-dsdeploy-engine", "worker": "r-dsdeploy-engine-worker"}
_WORKER = f"Deployment.closed.{NAMES['worker']}"
WAIVERS |= {
    ("CKV_K8S_8", _WORKER): "a worker answers no HTTP; when it ends, its whole group starts anew",
    ("CKV_K8S_9", _WORKER): "a worker answers no HTTP; when it ends, its whole group starts anew",
    ("CKV_K8S_22", _WORKER): "as the engine of one node",
}


def test_nothing_fails_but_the_waivers(tmp_path):
    if not CHECKOV.is_file():
        pytest.fail("no checkov here: run scripts/install-checkov.sh, or leave out with -m 'not helm'")
    on = {f"monitoring__{one}__enabled": True for one in ("serviceMonitor", "prometheusRule", "dashboard")}
    for name in EXAMPLES:
        documents = render(change(example(name), dict(on)))
        # checkov passes over a LeaderWorkerSet, so its pods are shown to it as pods.
        for one in list(documents):
            if one["kind"] == "LeaderWorkerSet":
                for role in ("leader", "worker"):
                    template = one["spec"]["leaderWorkerTemplate"][f"{role}Template"]
                    metadata = {**one["metadata"], **template["metadata"], "name": NAMES[role]}
                    spec = {"selector": {"matchLabels": metadata["labels"]}, "template": template}
                    shown = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
                    documents = (*documents, shown)
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump_all(documents))
    r = subprocess.run(
        [CHECKOV, "-d", str(tmp_path), "--framework", "kubernetes", "--skip-download", "--output", "json", "--quiet"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    summary = json.loads(r.stdout)
    failed = {(one["check_id"], one["resource"]) for one in summary["results"]["failed_checks"]}
    assert failed == set(WAIVERS)
    assert not summary["results"].get("parsing_errors")
