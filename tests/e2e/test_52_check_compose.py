"""Checks of a real release on a real Docker Engine: what holds its engine in, and what is seen when that is opened."""

import shutil

import pytest

from dsdeploy.adapters.targets.compose.docker_engine import containers_of
from dsdeploy.core.layout import compose_project
from tests.program import free_port, run, run_json

pytestmark = pytest.mark.docker
NAME = "chk"


@pytest.fixture(scope="module")
def served(docker_engine, fetched, tmp_path_factory):
    home = tmp_path_factory.mktemp("served")
    shutil.copytree(fetched / "weights", home / "weights")
    plan = str(home / "plan.yaml")
    words = ("--model", "smoke", "--users", "2", "--target", "compose", "--port", str(free_port()), "--out", plan)
    assert run("plan", *words).returncode == 0
    r = run("install", plan, "--home", str(home), "--name", NAME, "--yes")
    assert r.returncode == 0, r.stderr
    yield home
    run("uninstall", NAME, "--home", str(home), "--yes")


def found(home, *only):
    words = [word for one in only for word in ("--only", one)]
    document = run_json("check", NAME, "--home", str(home), *words)
    return {one["id"]: (one["status"], one["measured"]) for one in document["data"]["findings"]}


def test_what_runs_is_held_in_on_every_side(served):
    seen = found(
        served, "security", "host-limits-wide", "egress-closed", "configuration-as-planned", "open-files-enough"
    )
    assert {id for id, (status, _) in seen.items() if status != "pass"} == set(), seen


def test_an_engine_on_an_open_network_is_found(served, docker_engine):
    engine = next(one for one in containers_of(docker_engine, compose_project(NAME)) if "engine" in one.name)
    docker_engine.networks.get("bridge").connect(engine)
    try:
        seen = found(served, "egress-closed")
    finally:
        docker_engine.networks.get("bridge").disconnect(engine)
    assert seen["egress-closed"][0] == "fail", seen
    assert found(served, "egress-closed")["egress-closed"][0] == "pass"
