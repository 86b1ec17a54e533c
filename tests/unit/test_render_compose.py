"""`DSDEPLOY_REWRITE=1 pytest tests/unit/test_render_compose.py` rewrites the golden file; its diff is the review."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from dsdeploy.adapters.engines.llamacpp import server_arguments
from dsdeploy.core.deployment import Deployment
from dsdeploy.core.errors import RenderError
from dsdeploy.core.values import MemoryBudget, Plan, Release, Request, WeightFile, Weights
from dsdeploy.stages.render_compose import render_compose

GOLDEN = Path(__file__).parents[1] / "golden" / "compose.yaml"
IMAGE = "sha256:" + "5" * 64
PLAN = Plan(
    request=Request("deepseek-r1-distill-qwen-1.5b", 2, 4096, "compose"),
    deployment=Deployment(
        "deepseek-r1-distill-qwen-1.5b", "gguf-q8_0", "llama.cpp", "b11434", "cpu", 0, 1, 1, 1, 1, 1, False, 4096, 2
    ),
    weights_origin="hub", weights_repo="r", weights_revision=None, weights_pattern="*Q8_0*.gguf", weights_sha256=None,
    weights_bytes=2_000_000_000, engine_arguments=("--ctx-size", "8192"),
    memory=MemoryBudget(2_000_000_000, 1000, 2000, 3000, 9_000_000_000), disk_path="/", warnings=(), rejected=(),
)  # fmt: skip
WEIGHTS = Weights(PLAN.model_id, PLAN.format, "hub", None, "/srv/weights", (WeightFile("m.gguf", 2_000_000_000, ""),))
RELEASE = Release(
    name="r1", target="compose", model_id=PLAN.model_id, format=PLAN.format, context_tokens=4096, users=2,
    host="127.0.0.1", port=8080, plan_sha256="", folder="/srv/releases/r1", weights=WEIGHTS, revision=1,
    state="installing", installed_at="",
)  # fmt: skip


def rendered(release: Release = RELEASE) -> str:
    files = render_compose(PLAN, "the plan\n", release, IMAGE, "10001:10001").files
    assert [one.path for one in files] == ["plan.yaml", "compose.yaml"]
    return files[1].content


def services(content: str) -> dict:
    return yaml.safe_load(content)["services"]


def test_a_project_is_rendered_as_reviewed(monkeypatch):
    monkeypatch.setattr("dsdeploy.__version__", "VERSION")
    if os.environ.get("DSDEPLOY_REWRITE"):
        GOLDEN.write_text(rendered(), encoding="utf-8")
    assert rendered() == GOLDEN.read_text(encoding="utf-8")


def test_every_container_is_closed_and_the_engine_has_no_way_out():
    for one in services(rendered()).values():
        assert one["image"] == IMAGE and one["pull_policy"] == "never"
        assert one["user"] == "10001:10001" and one["read_only"] is True and one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"] and one["pids_limit"] > 0
    project = yaml.safe_load(rendered())
    engine, gate = project["services"]["engine"], project["services"]["gate"]
    assert engine["networks"] == ["closed"] and "ports" not in engine
    assert project["networks"]["closed"]["internal"] is True
    assert [one["host_ip"] for one in gate["ports"]] == ["127.0.0.1"]
    assert engine["mem_limit"] == PLAN.memory.needed_bytes
    assert engine["volumes"][0]["read_only"] is True


def test_the_engine_gets_the_plans_arguments_word_by_word():
    expected = server_arguments(PLAN, model="/weights/m.gguf", keys="/run/secrets/api-keys", host="0.0.0.0", port=8080)
    assert services(rendered())["engine"]["command"] == list(expected)


@pytest.mark.parametrize("folder", ["/s/$HOME/a", '/s/"q": [x', "/s/{{ x }} #1", "/s/权重 目录", "/s/a\nb: c"])
def test_no_path_can_break_out_of_its_place(folder):
    release = replace(RELEASE, folder=folder, weights=replace(WEIGHTS, directory=folder))
    project = yaml.safe_load(rendered(release))
    assert project["services"]["engine"]["volumes"][0]["source"] == folder.replace("$", "$$")
    assert project["secrets"]["api-keys"]["file"] == f"{folder.replace('$', '$$')}/secrets/api-keys"
    assert set(project["services"]) == {"engine", "gate"}


def test_a_slow_disk_has_time_to_load_the_weights():
    large = replace(WEIGHTS, files=(WeightFile("m.gguf", 400_000_000_000, ""),))
    start = services(rendered(replace(RELEASE, weights=large)))["engine"]["healthcheck"]["start_period"]
    assert int(start.removesuffix("s")) >= 4000


@pytest.mark.parametrize(("host", "published"), [("localhost", "127.0.0.1"), ("::1", "::1"), ("10.0.0.7", "10.0.0.7")])
def test_the_door_is_an_address(host, published):
    assert services(rendered(replace(RELEASE, host=host)))["gate"]["ports"][0]["host_ip"] == published


def test_a_name_is_no_door():
    with pytest.raises(RenderError):
        rendered(replace(RELEASE, host="gpu01.example"))
