"""The monitoring profile: real Prometheus in the project's own network; what the dashboard and the alerts ask for."""

import io
import json
import os
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from dsdeploy.adapters.images import rootfs
from dsdeploy.adapters.releases import load_release
from dsdeploy.adapters.targets.compose import ComposeTarget
from dsdeploy.adapters.targets.compose.docker_engine import connect, containers_of
from dsdeploy.adapters.targets.compose.up import compose_up
from dsdeploy.core.deployment import Launch
from dsdeploy.core.layout import Layout
from dsdeploy.core.values import Release
from dsdeploy.stages.render_compose.monitoring import monitoring_files
from tests.chart.rendering import example, of_kind, render
from tests.fakes.gateway import gateway
from tests.program import ask, free_port, run, wait_until

ROOT = Path(__file__).parents[2]
KNOWN = json.loads((ROOT / "tests/truth/metric_names.json").read_text())
DASHBOARD = json.loads((ROOT / "templates/monitoring/grafana/dashboards/service.json").read_text())
NAME = re.compile(r"\b(?:vllm:|sglang:|llamacpp:|haproxy_)\w+")
ENGINES = ("vllm", "sglang", "llama.cpp")


@pytest.fixture(scope="session")
def prometheus() -> Path:
    """The folder with the two programs."""
    subprocess.run(["bash", ROOT / "scripts/install-prometheus.sh"], check=True)
    cache = os.environ.get("DSDEPLOY_TEST_CACHE") or Path.home() / ".cache/dsdeploy-tests"
    return Path(cache) / "prometheus"


def files_of(engine: str) -> dict[str, str]:
    launch = Launch(None, ("x",), {}, 8000, "/health", "/metrics")
    return {one.path: one.content for one in monitoring_files(engine, launch, "engines", 300)}


def asked_names(engine: str) -> set[str]:
    exprs = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return set(NAME.findall(" ".join(exprs) + files_of(engine)["monitoring/rules.yml"]))


@pytest.mark.haproxy
@pytest.mark.parametrize("engine", ENGINES)
def test_dashboard_and_alerts_ask_for_what_engines_and_the_gateway_really_tell(engine, tmp_path):
    """Grafana itself has not been run; its questions are held against the names of those who answer."""
    with gateway(tmp_path) as found:
        _, told = ask(f"http://127.0.0.1:{found.inner.port}/metrics")
    known = set(re.findall(r"^# TYPE (\S+)", told, re.MULTILINE))
    known |= {name for one in KNOWN.values() for name in one["names"]}
    asked = asked_names(engine)
    assert len(asked) > 10
    assert {one.removesuffix("_bucket") for one in asked} <= known


@pytest.mark.parametrize("engine", ENGINES)
def test_prometheus_takes_its_configuration_and_every_alert(engine, prometheus, tmp_path):
    for name, content in files_of(engine).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    words = [prometheus / "promtool", "check", "config", tmp_path / "monitoring/prometheus.yml"]
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    count = files_of(engine)["monitoring/rules.yml"].count("- alert:")
    assert told.returncode == 0 and f"{count} rules found" in told.stdout, told.stdout + told.stderr


@pytest.mark.helm
@pytest.mark.parametrize("name", ["amd-mi300x", "nvidia-two-nodes", "cpu"])
def test_prometheus_takes_every_alert_and_question_of_the_chart(name, prometheus, tmp_path):
    on = {f"monitoring__{one}__enabled": True for one in ("serviceMonitor", "prometheusRule", "dashboard")}
    documents = render(example(name, **on, gateway__tls={"certManager": {"issuerName": "site-ca"}}))
    (rules,) = of_kind(documents, "PrometheusRule")
    (board,) = [
        json.loads(one["data"]["r-dsdeploy.json"]) for one in documents if "r-dsdeploy.json" in one.get("data", ())
    ]
    questions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    recorded = [{"record": f"asked:{number}", "expr": one} for number, one in enumerate(questions)]
    (tmp_path / "rules.yml").write_text(
        yaml.safe_dump({"groups": [*rules["spec"]["groups"], {"name": "board", "rules": recorded}]})
    )
    words = [prometheus / "promtool", "check", "rules", tmp_path / "rules.yml"]
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    known = {one for engine in KNOWN.values() for one in engine["names"]}
    asked = re.findall(r"\b(?:vllm:|sglang:|llamacpp:)\w+", (tmp_path / "rules.yml").read_text())
    assert asked and {one.removesuffix("_bucket") for one in asked} <= known


@pytest.fixture(scope="module")
def image(docker_engine, prometheus):
    """Prometheus as its makers' image lays it out, but for its pages: the program, and /prometheus for user 65534."""
    binary = prometheus / "prometheus"
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for one in rootfs.library_files((binary,)):
            archive.add(Path(str(one.source)).resolve(), one.place.lstrip("/"))
        archive.add(binary, "bin/prometheus")
        folder = tarfile.TarInfo("prometheus")
        folder.type, folder.mode, folder.uid, folder.gid = tarfile.DIRTYPE, 0o755, 65534, 65534
        archive.addfile(folder)
    client = connect()
    changes = ["ENV PATH=/bin", f"ENV LD_LIBRARY_PATH={rootfs.LIBRARIES}"]
    told = client.api.import_image_from_data(
        content.getvalue(), repository="dsdeploy-test/prometheus", tag="1", changes=changes
    )
    yield json.loads(told.splitlines()[-1])["status"]
    client.images.remove("dsdeploy-test/prometheus:1", force=True)


@pytest.fixture
def watched(home, image):
    """An installed release with Prometheus beside it, as the profile brings it."""
    plan = home / "plan.yaml"
    words = ("--model", "smoke", "--users", "2", "--port", str(free_port()), "--target", "compose")
    assert run("plan", *words, "--out", str(plan)).returncode == 0
    r = run("install", str(plan), "--home", str(home), "--name", "watched", "--yes")
    assert r.returncode == 0, r.stderr
    release = load_release(Layout(home), None)
    folder = Path(release.folder)
    key = (folder / "secrets/engine/engine-key").read_text().strip()
    config = files_of("llama.cpp")["monitoring/prometheus.yml"]
    # llama.cpp tells its metrics to whoever has its key; the engines that are scraped in earnest ask for none.
    config = config.replace("metrics_path:", f"authorization: {{credentials: {key}}}\n    metrics_path:")
    (folder / "monitoring/prometheus.yml").write_text(config)
    (folder / ".env").write_text(f"PROMETHEUS_IMAGE={image}\n")
    compose_up(connect(), release, "prometheus", recreate=True)
    return release


@pytest.mark.docker
@pytest.mark.haproxy
def test_prometheus_scrapes_engine_and_gateway_where_nobody_else_can(watched):
    wait_until(lambda: {one["health"] for one in targets(watched)} == {"up"}, 120)
    assert {one["labels"]["job"] for one in targets(watched)} == {"gateway", "engine"}
    rules = [one["name"] for group in asked(watched, "rules")["groups"] for one in group["rules"]]
    assert "GatewayHasNoEngine" in rules
    (found,) = [one for one in containers_of(connect(), "dsdeploy-watched") if "prometheus" in one.name]
    names = {name.removeprefix("dsdeploy-watched_") for name in found.attrs["NetworkSettings"]["Networks"]}
    assert names == {"closed", "watch"}
    assert not found.attrs["HostConfig"]["PortBindings"] and found.attrs["HostConfig"]["ReadonlyRootfs"]
    assert found.attrs["Config"]["User"] == "65534:65534"


def targets(release: Release) -> list[dict[str, Any]]:
    return asked(release, "targets")["activeTargets"]


def asked(release: Release, what: str) -> dict[str, Any]:
    """What Prometheus says, asked from the engine's container: this machine does not reach that network."""
    code = f"import urllib.request as r; print(r.urlopen('http://prometheus:9090/api/v1/{what}').read().decode())"
    told = ComposeTarget().run_inside(release, code)
    return json.loads(told)["data"] if told else {"activeTargets": []}
