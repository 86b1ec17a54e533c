"""The network between machines, over real ssh between two namespaces: each planted fault is found by its check."""

import re
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import pytest

from dsdeploy.adapters.fabric import measure_paths, pairs_of
from dsdeploy.adapters.inventory import Host
from dsdeploy.core.fabric import NodePath
from dsdeploy.core.progress import SILENT
from dsdeploy.stages.check import CHECKS, Selection, run_checks
from dsdeploy.stages.check.subject import Subject
from tests.faults.two_machines import MISSING, TwoMachines
from tests.unit.test_check import checked, finding

RELEASE = checked(finding("pass")).data.release
PATHS = ("nodes-near", "node-links-wide", "node-mtu-whole")
needs_machines = pytest.mark.skipif(MISSING, reason="needs root, openssh-server and iproute2")


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    two = TwoMachines(tmp_path_factory.mktemp("machines"))
    try:
        two.start()
        yield two
    finally:
        two.stop()


@pytest.fixture
def network(machines, monkeypatch):
    """What the checks of the network say of them. This machine's processor is the limit here, not a link."""
    monkeypatch.setenv("PATH", machines.path)
    monkeypatch.setattr("dsdeploy.stages.check.network._ONE_STREAM_BITS_PER_S", 0.2e9)
    monkeypatch.setattr("dsdeploy.adapters.fabric.STREAM_S", 0.5)

    def findings(hosts=machines.hosts):
        target = SimpleNamespace(run_inside=lambda release, code: None, observe=None)
        subject = Subject(RELEASE, None, None, target, None, None, None, SILENT, hosts)
        return {one.id: one for one in run_checks(CHECKS, subject, Selection(only=PATHS))}

    return findings


def faulty(found):
    return {id for id, one in found.items() if one.status in ("warn", "fail")}


@needs_machines
def test_a_sound_network_passes_and_its_figures_are_shown(network):
    found = network()
    assert faulty(found) == set(), found
    assert {id for id, one in found.items() if one.status == "pass"} == set(found)
    assert "1,500 bytes" in found["node-mtu-whole"].measured and "Gbit/s" in found["node-links-wide"].measured


def shaped(machine, words):
    """False where this kernel has no such scheduler: containers' kernels often lack netem."""
    try:
        machine.shape(*words.split())
    except subprocess.CalledProcessError as error:
        assert b"qdisc" in error.stderr, error.stderr
        return False
    return True


@needs_machines
@pytest.mark.parametrize(
    ("words", "caught"),
    [("netem delay 8ms", "nodes-near"), ("tbf rate 40mbit burst 32kb latency 20ms", "node-links-wide")],
)
def test_a_slow_and_a_narrow_link_are_found_by_their_checks_alone(network, machines, words, caught):
    one = machines.nodes[0]
    if not shaped(one, words):
        pytest.skip(f"this kernel knows no {words.split()[0]}")
    try:
        found = network()
    finally:
        one.unshape()
    assert faulty(found) == {caught} and one.name in found[caught].measured, found


def test_a_slow_link_is_found_alone_where_it_is_made_up():
    path = NodePath("a", "b", 0.009, 0.008, 9e9, 1e10, 1500, 1500)
    subject = Subject(RELEASE, None, None, SimpleNamespace(), None, None, None, SILENT, (Host("a"), Host("b")))
    subject.__dict__["paths"] = (path,)
    found = {one.id: one for one in run_checks(CHECKS, subject, Selection(only=PATHS))}
    assert faulty(found) == {"nodes-near"} and "8.00 ms" in found["nodes-near"].measured


@needs_machines
def test_packets_lost_for_their_size_are_found(network, machines):
    """One machine sends jumbo frames, the other's port takes none: streams still run, large datagrams are lost."""
    machines.nodes[0].mtu(9000)
    try:
        found = network()
    finally:
        machines.nodes[0].mtu(1500)
    assert faulty(found) == {"node-mtu-whole"} and found["node-mtu-whole"].status == "fail", found
    # a veth takes four bytes more than its MTU, for a VLAN's tag
    assert re.search("1,50[0-4] bytes", found["node-mtu-whole"].measured), found
    assert found["node-mtu-whole"].limit == "9,000 bytes"


@needs_machines
def test_a_machine_that_cannot_be_measured_is_named_and_the_rest_is_not_judged(network, machines):
    one, other = machines.hosts
    found = network((one, replace(other, data_address="10.213.78.9")))
    assert faulty(found) == {"nodes-near"} and found["node-mtu-whole"].status == "skip"
    assert "dsdtest-b" in str(found["nodes-near"].message.values["reason"])


def test_four_machines_meet_each_other_and_more_only_their_neighbours():
    hosts = tuple(Host(name) for name in "abcdef")
    assert len(pairs_of(hosts[:4])) == 12 and len(pairs_of(hosts)) == 12
    assert len(set(pairs_of(hosts))) == 12 and pairs_of(hosts[:1]) == ()


def test_without_ssh_a_path_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = measure_paths((Host("a"), Host("b")))
    assert all(one.fault and "ssh" in one.fault for one in found) and len(found) == 2
