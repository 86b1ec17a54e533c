"""`DSDEPLOY_REWRITE=1 pytest tests/unit/test_render_compose.py` rewrites the golden file; its diff is the review."""

import configparser
import contextlib
import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import yaml

from dsdeploy.adapters.engines import engine_adapters, find_engine_adapter
from dsdeploy.adapters.engines.llamacpp.launch import LlamaCpp
from dsdeploy.adapters.engines.surroundings import ACCESS
from dsdeploy.adapters.images import Images
from dsdeploy.adapters.targets.compose.binary import compose_command
from dsdeploy.adapters.targets.compose.groups import node_groups, with_numbers
from dsdeploy.core.accelerators import accelerators
from dsdeploy.core.deployment import Deployment, Launch, Place
from dsdeploy.core.errors import EngineCannotRun, RenderError
from dsdeploy.core.values import MemoryBudget, Plan, Release, Request, WeightFile, Weights
from dsdeploy.stages.render_compose import render_compose
from dsdeploy.workflows.steps import planned_launch
from tests.engine_deployments import versions

GOLDEN = Path(__file__).parents[1] / "golden" / "compose.yaml"
IMAGES = Images("sha256:" + "5" * 64, "sha256:" + "6" * 64, "10001:10001")
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


def contents(plan: Plan, launch, release: Release = RELEASE) -> dict[str, str]:
    return {one.path: one.content for one in render_compose(plan, "the plan\n", release, launch, IMAGES).files}


def rendered(release: Release = RELEASE, plan: Plan = PLAN, launch=None) -> str:
    return contents(plan, launch or partial(LlamaCpp().launch, plan.deployment), release)["compose.yaml"]


def services(content: str) -> dict:
    return yaml.safe_load(content)["services"]


def test_a_project_is_rendered_as_reviewed(monkeypatch):
    monkeypatch.setattr("dsdeploy.__version__", "VERSION")
    if os.environ.get("DSDEPLOY_REWRITE"):
        GOLDEN.write_text(rendered(), encoding="utf-8")
    assert rendered() == GOLDEN.read_text(encoding="utf-8")


def test_arguments_edited_into_a_plan_are_refused_by_name():
    place = Place("/weights/m.gguf", PLAN.model_id, "/run/secrets/engine-key")
    assert planned_launch(PLAN, place).argv == LlamaCpp().launch(PLAN.deployment, place).argv
    for edited, named in ((("--ctx-size", "16384"), "16384"), ((*PLAN.engine_arguments, "--metrics"), "--metrics")):
        with pytest.raises(RenderError) as caught:
            planned_launch(replace(PLAN, engine_arguments=edited), place)
        assert caught.value.message.render("en").endswith(f"with them: {named}.")


def test_every_container_is_closed_and_the_engine_has_no_way_out():
    project = yaml.safe_load(rendered())
    for one in project["services"].values():
        assert one["pull_policy"] == "never" and one["read_only"] is True and one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"] and one["pids_limit"] > 0
        assert one["user"].split(":")[0] not in ("", "0", "root") and one["logging"]["options"]["max-size"]
    engine, gateway = project["services"]["engine"], project["services"]["gateway"]
    assert (engine["image"], gateway["image"]) == (IMAGES.engine, IMAGES.gateway)
    assert list(engine["networks"]) == ["closed"] and "ports" not in engine
    assert project["networks"]["closed"]["internal"] is True
    assert [one["host_ip"] for one in gateway["ports"]] == ["127.0.0.1"]
    assert engine["mem_limit"] == PLAN.memory.needed_bytes
    assert engine["volumes"][0]["read_only"] is True


def test_the_engine_gets_the_launchs_words_one_by_one():
    place = Place("/weights/m.gguf", PLAN.model_id, "/run/secrets/engine-key", port=8000)
    engine = services(rendered())["engine"]
    assert (*engine["entrypoint"], *engine["command"]) == LlamaCpp().launch(PLAN.deployment, place).argv


VLLM = Launch(
    image="vllm/vllm-openai@sha256:" + "7" * 64, argv=("vllm", "serve", "/weights", "--x", "$y"),
    environment={"HF_HUB_OFFLINE": "1"}, port=8000, ready_path="/health", metrics_path="/metrics",
    resource="nvidia.com/gpu", runtime="nvidia", shm_bytes=16 << 30, ulimits={"memlock": -1},
    writable=("/tmp", "/cache"), load_s=900, drain_s=300,
)  # fmt: skip


def on_devices(**more) -> Plan:
    return replace(PLAN, deployment=replace(PLAN.deployment, accelerator="h200", devices_per_node=4, **more))


def test_replicas_take_their_gpus_by_number_one_after_the_other():
    found = services(rendered(plan=on_devices(replicas=2), launch=lambda place: VLLM))
    first, second = found["engine"], found["engine-2"]
    devices = [one["deploy"]["resources"]["reservations"]["devices"] for one in (first, second)]
    assert devices == [
        [{"driver": "nvidia", "device_ids": ids, "capabilities": ["gpu"]}]
        for ids in (["0", "1", "2", "3"], ["4", "5", "6", "7"])
    ]
    assert first["shm_size"] == 16 << 30 and first["ulimits"]["memlock"] == -1 and "mem_limit" not in first
    assert first["command"][-1] == "$$y" and first["stop_grace_period"] == "300s" and "runtime" not in first
    assert [one.split(":")[0] for one in first["tmpfs"]] == ["/tmp", "/cache"]
    assert int(first["healthcheck"]["start_period"].removesuffix("s")) >= 900
    assert found["gateway"]["environment"]["ENGINE_REPLICAS"] == "2"
    assert set(found["gateway"]["depends_on"]) == {"engine", "engine-2"}


def test_devices_that_the_plan_left_out_and_mig_instances_are_told_apart():
    def ids(plan: Plan) -> list[str]:
        engine = services(rendered(plan=plan, launch=lambda place: VLLM))["engine"]
        return engine["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"]

    assert ids(replace(on_devices(), device_indices=((0, 2, 3, 5, 7),))) == ["0", "2", "3", "5"]
    for few in (((0, 2),), ((),)):
        with pytest.raises(RenderError, match="compose-devices-missing"):
            ids(replace(on_devices(), device_indices=few))
    assert ids(on_devices(slice="1g.18gb", slices_per_card=3)) == ["0:0", "0:1", "0:2", "1:0"]


def test_other_vendors_devices_are_given_as_nodes_and_groups():
    amd = replace(VLLM, resource="amd.com/gpu", runtime=None, devices=("/dev/kfd", "/dev/dri"), groups=("video",))
    engine = services(rendered(plan=on_devices(), launch=lambda place: amd))["engine"]
    assert engine["devices"] == ["/dev/kfd:/dev/kfd", "/dev/dri:/dev/dri"] and engine["group_add"] == ["video"]
    assert "deploy" not in engine


def test_groups_are_the_numbers_of_this_machines_device_nodes_for_an_image_may_lack_their_names():
    amd = replace(VLLM, devices=("/dev/kfd", "/dev/dri"), groups=("video", "render"))
    here = {"/dev/kfd": [109], "/dev/dri": [44, 109, 0]}
    assert with_numbers(amd, here.__getitem__).groups == ("44", "109")
    assert with_numbers(amd, lambda device: []) == amd, "devices elsewhere"
    numbered = replace(VLLM, devices=("/dev/kfd",), groups=("1000",))
    assert with_numbers(numbered, here.__getitem__) == numbered

    def noted(launch: Launch) -> bool:
        return "By name the image must have these groups" in rendered(plan=on_devices(), launch=lambda place: launch)

    assert noted(amd) and not noted(replace(amd, groups=("44", "109"))) and not noted(numbered)


def test_a_folders_device_nodes_are_asked_one_by_one(tmp_path):
    (tmp_path / "by-path").mkdir()
    (tmp_path / "renderD128").touch()
    own = (tmp_path / "renderD128").stat().st_gid
    assert list(node_groups(str(tmp_path))) == list(node_groups(str(tmp_path / "renderD128"))) == [own]
    assert list(node_groups(str(tmp_path / "missing"))) == []


@pytest.mark.parametrize("vendor", ACCESS)
def test_no_two_replicas_share_a_device_of_any_vendor(vendor):
    access = ACCESS[vendor]
    launch = replace(
        VLLM, resource=access.resource, runtime=access.runtime, devices=access.devices, visible=access.visible
    )

    def taken(engine: dict) -> list[int]:
        """The numbers by which a machine's devices are told apart."""
        if vendor == "nvidia":
            return [int(one) for one in engine["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"]]
        if launch.visible:
            return [int(one) for one in engine["environment"][launch.visible].split(",")]
        return [int(found[1]) for one in engine["devices"] if (found := re.search(r"(\d+)$", one))]

    for left, (first, second) in {
        (): ([0, 1, 2, 3], [4, 5, 6, 7]),
        ((1, 2, 3, 5, 6, 7, 8, 9),): ([1, 2, 3, 5], [6, 7, 8, 9]),
    }.items():
        plan = replace(on_devices(replicas=2), device_indices=left)
        found = services(rendered(plan=plan, launch=lambda place: launch))
        assert (taken(found["engine"]), taken(found["engine-2"])) == (first, second)
        assert found["engine"].get("runtime") == (None if vendor == "nvidia" else access.runtime)


def test_several_machines_are_one_project_each_with_one_gateway():
    plan = replace(on_devices(nodes=2), hosts=("10.0.0.1", "10.0.0.2"))
    places = []
    files = contents(plan, lambda place: places.append(place) or VLLM)
    content = {path: one for path, one in files.items() if path.endswith("compose.yaml")}
    assert sorted(content) == ["node-0/compose.yaml", "node-1/compose.yaml"]
    assert "weaker" in content["node-0/compose.yaml"]
    leader, worker = (services(one) for one in content.values())
    assert set(leader) == {"engine", "gateway"} and set(worker) == {"engine"}
    assert leader["engine"]["network_mode"] == worker["engine"]["network_mode"] == "host"
    assert leader["gateway"]["environment"]["METRICS_HOST"] == "127.0.0.1" and "ports" not in leader["gateway"]
    assert {one.node_rank for one in places} == {"0", "1"} and {one.leader_address for one in places} == {"10.0.0.1"}
    assert {one.host for one in places} == {"127.0.0.1"}
    assert {(one.node_rank, one.peer_address) for one in places} == {("0", "10.0.0.2"), ("1", "10.0.0.1")}


@pytest.mark.parametrize("nodes", [1, 2])
def test_an_engine_that_looks_its_user_up_finds_it(nodes):
    plan = replace(on_devices(nodes=nodes), hosts=("10.0.0.1", "10.0.0.2"))
    files = contents(plan, lambda place: replace(VLLM, looked_up=True))
    for folder in ("",) if nodes == 1 else ("node-0/", "node-1/"):
        assert f":x:{services(files[f'{folder}compose.yaml'])['engine']['user']}::" in files[f"{folder}passwd"]
        mounts = services(files[f"{folder}compose.yaml"])["engine"]["volumes"]
        assert [(one["source"], one["read_only"]) for one in mounts if one["target"] == "/etc/passwd"] == [
            ("./passwd", True)
        ]
    assert not any("passwd" in path for path in contents(plan, lambda place: VLLM))


def test_several_machines_that_are_not_named_are_refused():
    with pytest.raises(RenderError):
        contents(on_devices(nodes=2), lambda place: VLLM)


@pytest.mark.parametrize("folder", ["/s/$HOME/a", '/s/"q": [x', "/s/{{ x }} #1", "/s/权重 目录", "/s/a\nb: c"])
def test_no_path_can_break_out_of_its_place(folder):
    release = replace(RELEASE, folder=folder, weights=replace(WEIGHTS, directory=folder))
    project = yaml.safe_load(rendered(release))
    assert project["services"]["engine"]["volumes"][0]["source"] == folder.replace("$", "$$")
    assert project["secrets"]["engine-key"]["file"] == f"{folder.replace('$', '$$')}/secrets/engine/engine-key"
    assert set(project["services"]) == {"engine", "gateway", "prometheus", "grafana"}


def test_a_slow_disk_has_time_to_load_the_weights():
    large = replace(WEIGHTS, files=(WeightFile("m.gguf", 400_000_000_000, ""),))
    start = services(rendered(replace(RELEASE, weights=large)))["engine"]["healthcheck"]["start_period"]
    assert int(start.removesuffix("s")) >= 4000


def kinds() -> Iterator[tuple[str, Plan]]:
    """Each engine on each vendor's chip that it runs on, one device of a small model."""
    chips = {one.vendor: one for one in reversed(accelerators()) if one.vendor not in ("intel", "google")}
    chips |= {
        one.id: one for one in accelerators() if one.id in ("h200-141gb", "mi300x", "ascend-910b3", "ascend-310p")
    }
    for chip in chips.values():
        for name, adapter in engine_adapters().items():
            for version in versions(name, (chip.architecture or "").rpartition(" ")[2])[-1:]:
                form = "gguf-q8_0" if name == "llama.cpp" else "bf16"
                one = Deployment("deepseek-r1-distill-qwen-7b", form, name, version, chip.id, 1, 1, 1, 1, 1, 1, False,
                                 4096, 2)  # fmt: skip
                with contextlib.suppress(EngineCannotRun):
                    adapter.refuse(one)
                    yield f"{name} {chip.id}", replace(PLAN, deployment=one, engine_arguments=())


@pytest.mark.parametrize(("kind", "plan"), [pytest.param(*one, id=one[0]) for one in kinds()])
def test_an_engine_of_every_kind_is_shut_in_alike(kind, plan):
    launch = partial(find_engine_adapter(plan.deployment.engine).launch, plan.deployment)
    project = yaml.safe_load(contents(plan, launch)["compose.yaml"])
    engine = project["services"]["engine"]
    assert not {"privileged", "cap_add", "ipc", "pid", "userns_mode", "ports", "network_mode"} & set(engine)
    assert engine["user"] == IMAGES.user and engine["security_opt"] == ["no-new-privileges:true"]
    assert engine["cap_drop"] == ["ALL"] and engine["read_only"] is True and engine["restart"] == "unless-stopped"
    assert list(engine["networks"]) == ["closed"] and engine["dns"] == ["127.0.0.1"] and engine["ulimits"]["core"] == 0
    assert all(re.search(r"nosuid,nodev,(no)?exec,size=\d+[mg]", one) for one in engine["tmpfs"])
    assert {one.partition(":")[0] for one in engine["tmpfs"]} >= {"/tmp"}
    assert all(one["read_only"] and not one["bind"]["create_host_path"] for one in engine["volumes"])
    assert all(node.startswith("/dev/") for node in engine.get("devices", ())) and engine["pids_limit"]
    assert "shm_size" in engine or plan.deployment.engine == "llama.cpp"
    assert engine["image"].rpartition(":")[2] not in ("latest", "")
    # Whether an image has Python is known of those that are started by it.
    assert engine["healthcheck"]["test"][1] == ("python3" if engine["entrypoint"] == ["python3"] else "curl")
    assert engine["healthcheck"]["test"][-1].count("http://127.0.0.1:8000/health") == 1


def test_every_engine_was_shut_in():
    found = {kind.partition(" ")[0] for kind, _ in kinds()}
    assert found == set(engine_adapters()) and len(list(kinds())) >= 12


def test_whoever_uses_grafana_reaches_no_engine():
    project = yaml.safe_load(rendered())
    grafana, prometheus = project["services"]["grafana"], project["services"]["prometheus"]
    assert set(grafana["networks"]) == {"watch", "door"} and set(prometheus["networks"]) == {"closed", "watch"}
    assert project["networks"]["watch"]["internal"] is True
    for one in (grafana, prometheus):
        assert one["dns"] == ["127.0.0.1"] and one["ulimits"] == {"core": 0}
        assert one["memswap_limit"] == one["mem_limit"] and one["cap_drop"] == ["ALL"] and one["read_only"]


@pytest.mark.parametrize(("host", "published"), [("localhost", "127.0.0.1"), ("::1", "::1"), ("10.0.0.7", "10.0.0.7")])
def test_the_door_is_an_address(host, published):
    assert services(rendered(replace(RELEASE, host=host)))["gateway"]["ports"][0]["host_ip"] == published


def test_a_name_is_no_door():
    with pytest.raises(RenderError):
        rendered(replace(RELEASE, host="gpu01.example"))


@pytest.mark.parametrize("profile", ["", "monitoring"])
@pytest.mark.parametrize("nodes", [1, 2])
def test_compose_itself_takes_every_project(tmp_path, nodes, profile):
    plan = replace(on_devices(nodes=nodes), hosts=("10.0.0.1", "10.0.0.2"))
    files = contents(plan, lambda place: VLLM)
    for content in (one for path, one in files.items() if path.endswith("compose.yaml")):
        path = tmp_path / "compose.yaml"
        path.write_text(content)
        words = (*compose_command(), "--file", str(path), "--profile", profile or "none", "config", "--quiet")
        run = subprocess.run(words, capture_output=True, text=True, check=False)
        assert run.returncode == 0 and run.stderr == "", run.stderr


def test_monitoring_reads_what_the_engine_offers():
    files = {
        one.path: one.content for one in render_compose(on_devices(), "p\n", RELEASE, lambda _: VLLM, IMAGES).files
    }
    scraped = yaml.safe_load(files["monitoring/prometheus.yml"])["scrape_configs"]
    assert [one["job_name"] for one in scraped] == ["gateway", "engine"] and scraped[1]["metrics_path"] == "/metrics"
    assert json.loads(files["monitoring/grafana/dashboards/service.json"])["panels"]


def test_the_unit_starts_what_was_rendered():
    launch = partial(LlamaCpp().launch, PLAN.deployment)
    files = {one.path: one.content for one in render_compose(PLAN, "p\n", RELEASE, launch, IMAGES).files}
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read_string(files["dsdeploy-r1.service"])
    assert unit["Unit"]["Requires"] == "docker.service" and "dsdeploy-r1 up" in unit["Service"]["ExecStart"]
