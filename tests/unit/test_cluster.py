"""A cluster's nodes, asked through the real kubernetes library of a recording of an API server."""

import pytest
import yaml

from dsdeploy.adapters.cluster.nodes import quantity, read_node
from tests.fakes.cluster import Recording, node
from tests.program import run, run_json


@pytest.fixture
def site(tmp_path):
    servers = []

    def start(*forbidden):
        servers.append(Recording(forbidden))
        (tmp_path / "config").write_text(yaml.safe_dump(servers[-1].kubeconfig()))
        return {"KUBECONFIG": str(tmp_path / "config")}

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_nodes_become_machines_by_their_labels(site):
    fleet = run_json("profile", "--kubernetes", **site())["data"]
    machines = {one["name"]: one["profile"] for one in fleet["machines"]}
    devices = {name: [d["name"] for d in profile["accelerators"]] for name, profile in machines.items()}
    assert devices == {
        "gpu-1": ["NVIDIA-H20"] * 8,
        "gpu-2": ["NVIDIA-H20"] * 8,
        "mig-1": ["NVIDIA-A100-SXM4-80GB"] * 3,
        "shared-1": ["NVIDIA-H20"] * 8,
        "npu-1": ["910B3"] * 8,
        "cpu-1": [],
    }
    first = machines["gpu-1"]["accelerators"][0]
    assert (first["memory_bytes"], first["driver_version"]) == (97871 << 20, "570.133.20")
    assert machines["mig-1"]["accelerators"][0]["slices"] == [{"profile": "2g.20gb", "memory_bytes": 19968 << 20}]
    assert machines["npu-1"]["accelerators"][0]["memory_bytes"] is None
    assert (machines["cpu-1"]["cpu_threads"], machines["cpu-1"]["memory_bytes"]) == (191, 2113393032 << 10)
    found = {name: [one["id"] for one in profile["findings"]] for name, profile in machines.items()}
    assert "node-taints" in found["gpu-1"] and "node-schedulable" in found["gpu-2"] and "node-ready" in found["npu-1"]
    assert found["cpu-1"] == []


def test_the_cluster_tells_what_a_plan_must_know(site):
    cluster = run_json("profile", "--kubernetes", **site())["data"]["cluster"]
    assert cluster | {"denied": [], "context": "site", "version": "v1.34.2", "namespace": "llm"} == cluster
    assert (cluster["pod_security"], cluster["leader_worker_set"], cluster["dynamic_resources"]) == (
        "restricted",
        True,
        False,
    )
    assert cluster["storage_classes"] == [{"name": "local", "provisioner": "rancher.io/local-path", "default": True}]


def test_a_missing_right_names_its_verb_and_resource(site):
    r = run("profile", "--kubernetes", **site("/api/v1/nodes"))
    assert r.returncode == 10 and "ClusterForbidden" in r.stderr and "list nodes" in r.stderr
    classes = "/apis/storage.k8s.io/v1/storageclasses"
    cluster = run_json("profile", "--kubernetes", **site(classes, "/api/v1/namespaces/llm"))["data"]["cluster"]
    assert cluster["denied"] == ["list storageclasses.storage.k8s.io", "get namespaces/llm"]
    assert cluster["storage_classes"] is None and cluster["pod_security"] is None


def test_a_saved_cluster_is_planned_with_the_nodes_that_take_pods(site, tmp_path):
    saved = str(tmp_path / "fleet.json")
    assert run("profile", "--kubernetes", "--save", saved, **site()).returncode == 0
    plan = run_json("plan", "--hardware", saved, "--users", "64", "--context", "16384")["data"]
    said = {one["code"]: one["values"] for one in plan["warnings"]}
    assert plan["hosts"] in (["gpu-1"], ["shared-1"]) and plan["request"]["target"] == "kubernetes"
    assert said["plan-node-out"] == {"name": "gpu-2"} and said["plan-device-slices"]["name"] == "mig-1"
    assert said["plan-found-driver"] == {"name": plan["hosts"][0]}  # 570 is too old for CUDA 13


def test_a_cluster_that_is_not_there_is_named(site, tmp_path):
    for more, environment in (
        (["--context", "nowhere"], site()),
        ([], {"KUBECONFIG": str(tmp_path / "missing")}),
        (["--namespace", "missing"], site()),
    ):
        r = run("profile", "--kubernetes", *more, **environment)
        assert r.returncode == 10 and "ClusterUnreachable" in r.stderr and "Traceback" not in r.stderr, r.stderr


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_cluster_fits_eighty_columns_with_alike_nodes_in_one_row(site, language):
    from rich.cells import cell_len

    r = run("--lang", language, "profile", "--kubernetes", COLUMNS="80", **site())
    assert r.returncode == 0 and max(map(cell_len, r.stdout.splitlines())) <= 80
    assert "3 × (8 × NVIDIA-H20)" in r.stdout


@pytest.mark.parametrize(
    ("labels", "resource", "memory_bytes"),
    [
        ({"amd.com/gpu.vram": "192G"}, "amd.com/gpu", 192 << 30),
        ({"amd.com/gpu.vram": "8GB"}, "amd.com/gpu", 8 << 30),
        ({"gpu.intel.com/memory.max": str(2 * 48 << 30)}, "gpu.intel.com/xe", 48 << 30),
        ({}, "hygon.com/dcu", None),
    ],
)
def test_other_vendors_labels_tell_the_memory_of_one_device(labels, resource, memory_bytes):
    devices = read_node(node("n", labels, {resource: "2"})).profile.accelerators
    assert [one.memory_bytes for one in devices] == [memory_bytes] * 2


@pytest.mark.parametrize(
    ("said", "number"), [("8", 8), ("7910m", 7.91), ("2Ki", 2048), ("1500k", 1.5e6), ("1e3", 1000)]
)
def test_quantities(said, number):
    assert quantity(said) == number
