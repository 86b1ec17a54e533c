"""What a plan says of the machines it stands on: a fleet file in, remarks out."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from dsdeploy.adapters.accelerators.vendors import read_vendors
from dsdeploy.core.errors import NoModelFits
from dsdeploy.core.fleet import BrokenHost, Cluster, Fleet, Machine, Node, StorageClass, Taint
from dsdeploy.core.health import judge_fleet
from dsdeploy.core.machines import Limits, Link, Profile, Slice
from dsdeploy.core.plan import Request
from dsdeploy.stages.plan import choose_plan
from dsdeploy.stages.profile import load_fleet, save_profile
from tests.program import run, run_json
from tests.unit.plan.fleets import GIB, fleet, node

RECORDED = sorted(path.parent for path in (Path(__file__).parents[2] / "machines").glob("*/expected.json"))
CLUSTER = Cluster("site", "v1.34.2", "llm", "", (), False, False, ())


def wants(model: str | None = None, users: int = 8, context: int = 16384, **more) -> Request:
    return Request(model, users, context, "auto", **more)


def said(plan) -> dict[str, dict[str, str]]:
    return {one.code: one.values for one in plan.warnings}


def as_node(machine: Machine, *taints: Taint, ready: bool = True) -> Machine:
    return replace(machine, node=Node(ready, True, taints, {"nvidia.com/gpu": "8"}, {}))


@pytest.mark.parametrize("machine", RECORDED, ids=lambda path: path.name)
def test_every_recorded_machine_is_planned_on_its_accelerators_or_its_processor(machine, tmp_path):
    (reading,), _ = read_vendors({path.stem: (path.read_text(), 0) for path in machine.glob("*.txt")})
    like = node("recorded", 0).profile
    profile: Profile = replace(like, accelerators=reading.accelerators, links=reading.links)
    save_profile(Fleet((Machine("recorded", profile),)), tmp_path / "fleet.json")
    plan = choose_plan(wants("deepseek-r1-distill-qwen-7b", 1, 4096), load_fleet(tmp_path / "fleet.json"))
    assert plan.hosts == ("recorded",)


def test_a_broken_host_is_counted_out_and_the_rest_is_planned(tmp_path):
    whole = Fleet((node("a", 8),), (BrokenHost("b", "HostRefused", "no"),))
    save_profile(whole, tmp_path / "f.json")
    plan = run_json("plan", "--hardware", str(tmp_path / "f.json"), "--context", "8192")["data"]
    assert plan["hosts"] == ["a"]
    assert plan["warnings"][0] == {
        "code": "plan-host-broken",
        "values": {"name": "b", "error": "HostRefused"},
        "times": 1,
    }


def test_the_soundest_machines_are_taken_and_faults_of_the_others_are_not_said():
    sick = node("a", 8)
    sick = replace(sick, profile=replace(sick.profile, nvswitches=4, fabric_manager=False))
    both = judge_fleet(fleet(sick, node("b", 8)))
    plan = choose_plan(wants("deepseek-r1-distill-qwen-32b", 1), both)
    assert plan.hosts == ("b",) and "plan-found-fabric" not in said(plan)
    alone = choose_plan(wants("deepseek-r1-distill-qwen-32b", 1), judge_fleet(fleet(sick)))
    assert said(alone)["plan-found-fabric"] == {"name": "a"}


def test_each_kind_of_fault_is_said_once_with_the_first_machine_and_the_count():
    def poor(name: str) -> Machine:
        links = (Link(0, 1, "NV18", "direct", peer=False),)
        one = node(name, 8, links=links)
        return replace(one, profile=replace(one.profile, limits=Limits(shm_bytes=64 << 20, memlock_bytes=65536)))

    plan = choose_plan(wants("deepseek-v3.1", 400), judge_fleet(fleet(*map(poor, ("a", "b")))))
    assert plan.hosts == ("a", "b")
    times = {one.code: one.times for one in plan.warnings if one.code.startswith("plan-found-")}
    assert times == {f"plan-found-{id}": 2 for id in ("peers", "driver", "shm", "memlock")}
    assert said(plan)["plan-found-shm"] == {"name": "a"}


def test_a_taint_keeps_a_node_out_unless_it_is_the_accelerators_own():
    own, other = Taint("nvidia.com/gpu", None, "NoSchedule"), Taint("team", "hpc", "NoExecute")
    soft = Taint("spot", None, "PreferNoSchedule")
    plan = choose_plan(wants("deepseek-v3.1"), Fleet((as_node(node("a", 8), own, soft),), cluster=CLUSTER))
    assert plan.hosts == ("a",) and plan.target == "kubernetes"
    both = Fleet((as_node(node("a", 8), other), as_node(node("b", 8))), cluster=CLUSTER)
    plan = choose_plan(wants("deepseek-v3.1"), both)
    assert plan.hosts == ("b",) and said(plan)["plan-node-tainted"] == {"name": "a", "taint": "team:NoExecute"}


def test_what_a_cluster_lacks_is_said_where_a_replica_takes_several_nodes():
    nodes = tuple(as_node(node(f"n{index}", 8, "NVIDIA H100 80GB HBM3", 79.6)) for index in range(2))
    big = wants("deepseek-r1", 4, format="fp8-block")
    plan = choose_plan(big, Fleet(nodes, cluster=CLUSTER))
    assert plan.deployment.nodes == 2
    assert {"plan-no-leader-worker-set", "plan-no-storage-class"} <= set(said(plan))
    classes = (StorageClass("slow", "x", False), StorageClass("fast", "y", False))
    has = replace(CLUSTER, leader_worker_set=True, storage_classes=classes, denied=("get /version",))
    words = said(choose_plan(big, Fleet(nodes, cluster=has)))
    assert words["plan-no-default-class"] == {"classes": "slow, fast"}
    assert words["plan-cluster-unseen"] == {"rights": "get /version"} and "plan-no-leader-worker-set" not in words
    small = choose_plan(wants("deepseek-r1-distill-qwen-32b", 1), Fleet(nodes, cluster=CLUSTER))
    assert not {"plan-no-leader-worker-set", "plan-no-storage-class"} & set(said(small))


def test_alike_mig_instances_serve_each_alone():
    pieces = (Slice("3g.48gb", 47 * GIB),) * 2
    plan = choose_plan(wants("deepseek-r1-distill-qwen-32b", 40), fleet(node("cut", 4, slices=pieces)))
    d = plan.deployment
    assert (d.devices_per_node, d.tensor_parallel, d.nodes) == (1, 1, 1) and 1 <= d.replicas <= 8
    assert plan.device_memory and plan.device_memory.device_bytes < 47 * GIB
    assert said(plan)["plan-device-slices"] == {"name": "cut", "count": "8", "profile": "3g.48gb"}
    with pytest.raises(NoModelFits):
        choose_plan(wants("deepseek-r1", 1, format="fp8-block"), fleet(node("cut", 8, slices=pieces)))


def test_a_thousand_nodes_are_few_pools(tmp_path):
    nodes = [node(f"n{index:04}", 8, host_gib=512 + 32 * (index % 4)) for index in range(1000)]
    plan = choose_plan(wants("deepseek-v3.1", 64), fleet(*nodes))
    assert plan.hosts == tuple(sorted(plan.hosts)) and Counter(plan.hosts).most_common(1)[0][1] == 1


def test_a_profile_without_machines_says_what_to_do(tmp_path):
    (tmp_path / "f.json").write_text(json.dumps({"apiVersion": "dsdeploy/v1", "kind": "Fleet", "machines": []}))
    r = run("--lang", "en", "plan", "--hardware", str(tmp_path / "f.json"))
    assert r.returncode == 2 and "InvalidRequest" in r.stderr and "profile --save" in r.stderr, r.stderr
