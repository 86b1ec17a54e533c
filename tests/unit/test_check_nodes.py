"""Checks of accelerators and of machines among each other, on recorded and made-up tellings: none stands here."""

import socket
from dataclasses import replace
from types import SimpleNamespace

import pytest

from dsdeploy.core.health import judge_profile
from dsdeploy.core.machines import Accelerator, Health, Limits, Profile
from dsdeploy.core.progress import SILENT
from dsdeploy.stages.check import CHECKS, Selection, run_checks
from dsdeploy.stages.check.subject import Subject
from tests.unit.test_check import checked, finding

RELEASE = checked(finding("pass")).data.release
DEVICE = Accelerator("nvidia", "NVIDIA H20", 0, 96 << 30, 0, "610.0", None)
MACHINE = Profile("a", "Linux", None, 8, 8, 1, 1 << 40, 1 << 40, (), (), (DEVICE, replace(DEVICE, index=1)))
IDS = ("accelerators-healthy", "driver-fits-engine", "clocks-unthrottled", "links-as-wired", "host-limits-wide")


def found(machine=MACHINE, only=IDS, log=(), hosts=(), nodes=1):
    deployment = SimpleNamespace(nodes=nodes, devices_per_node=2)
    plan = SimpleNamespace(device="h20", engine="vllm", deployment=deployment, hosts=hosts)
    target = SimpleNamespace(logs=lambda release, lines: iter(log))
    subject = Subject(RELEASE, plan, None, target, None, None, None, SILENT)
    subject.__dict__["machine"] = judge_profile(machine)
    return {one.id: one.status for one in run_checks(CHECKS, subject, Selection(only=only))}


def with_health(**health):
    return replace(MACHINE, accelerators=(replace(DEVICE, health=Health(**health)), replace(DEVICE, index=1)))


def test_a_sound_machine_passes():
    assert set(found().values()) == {"pass"}


@pytest.mark.parametrize(
    ("machine", "caught", "status"),
    [
        (with_health(ecc_uncorrected=3), "accelerators-healthy", "fail"),
        (replace(MACHINE, accelerators=(replace(DEVICE, driver_version="418.0"),) * 2), "driver-fits-engine", "warn"),
        (with_health(throttling=("thermal",)), "clocks-unthrottled", "warn"),
        (with_health(fabric="In Progress"), "links-as-wired", "fail"),
        (replace(MACHINE, limits=Limits(64 << 20, None, None, None)), "host-limits-wide", "warn"),
    ],
)
def test_each_fault_of_a_machine_is_found_by_its_check_alone(machine, caught, status):
    assert {id: one for id, one in found(machine).items() if one != "pass"} == {caught: status}


def test_accelerators_that_are_gone_are_found():
    assert found(replace(MACHINE, accelerators=()))["accelerators-healthy"] == "fail"


def test_rdma_is_what_the_log_says():
    for words, status in (("Using network IB", "pass"), ("Using network Socket", "fail"), ("nothing", "skip")):
        log = (f"node1:1:1 [0] NCCL INFO {words}",)
        assert found(only=("rdma-in-use",), log=log, hosts=("a", "b"), nodes=2) == {"rdma-in-use": status}
    assert found(only=("rdma-in-use",)) == {"rdma-in-use": "skip"}


def test_a_machine_that_does_not_answer_is_found(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as there:
        monkeypatch.setattr("dsdeploy.stages.check.network._SSH_PORT", there.getsockname()[1])
        near = found(only=("nodes-near",), hosts=("127.0.0.1",), nodes=2)
    assert near in ({"nodes-near": "pass"}, {"nodes-near": "warn"})
    assert found(only=("nodes-near",), hosts=("127.0.0.1",), nodes=2) == {"nodes-near": "fail"}
