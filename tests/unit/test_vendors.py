"""Recorded machines: what each vendor's tool printed in public, and what it must become. A new case is a new folder."""

import json
from collections import Counter
from pathlib import Path

import pytest

from dsdeploy.adapters.accelerators.topology import read_matrix
from dsdeploy.adapters.accelerators.vendors import VENDORS, read_vendors

MACHINES = sorted(path.parent for path in (Path(__file__).parents[1] / "machines").glob("*/expected.json"))


def answers(machine: Path) -> dict[str, tuple[str, int]]:
    return {path.stem: (path.read_text(), 0) for path in machine.glob("*.txt")}


@pytest.mark.parametrize("machine", MACHINES, ids=lambda path: path.name)
def test_what_a_tool_printed_becomes_the_machine_it_describes(machine):
    expected = json.loads((machine / "expected.json").read_text())
    (reading,), faults = read_vendors(answers(machine))
    first = reading.accelerators[0]
    assert (
        faults == ()
        and expected["source"].startswith(("https://", "recorded "))
        and len(reading.accelerators) == expected["count"]
    )
    assert {name: getattr(first, name) for name in expected["first"]} == expected["first"]
    assert Counter(one.kind for one in reading.links) == expected.get("links", {})
    if "slices" in expected:
        assert [one.memory_bytes for one in first.slices] == expected["slices"]
    if "occupants" in expected:
        assert [one.name for one in first.health.occupants] == expected["occupants"]
    assert first.health is None or first.health.state == expected.get("state", first.health.state)
    assert "ecc" not in expected or first.health.ecc_uncorrected == expected["ecc"]


def test_every_vendor_has_a_recorded_machine():
    recorded = {path.stem.partition(".")[0] for machine in MACHINES for path in machine.glob("*.txt")}
    assert recorded == {vendor.name for vendor in VENDORS}


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
@pytest.mark.parametrize(
    "said",
    [
        "",
        "Failed to initialize NVML: Driver/library version mismatch",
        "<nvidia_smi_log>",
        "{}",
        "[]",
        "null",
        '{"card0": 3, "device_list": 3}',
    ],
)
def test_an_answer_that_is_none_is_a_fault_and_never_a_crash(vendor, said):
    first = next(iter(vendor.commands))
    readings, faults = read_vendors({f"{vendor.name}.{first}": (said, 0)})
    assert (readings, [one.tool for one in faults]) == ((), [vendor.commands[first][0]])


def test_a_failing_tool_keeps_its_words():
    _, (fault,) = read_vendors({"nvidia.query": ("NVIDIA-SMI has failed", 9)})
    assert (fault.tool, fault.exit_code, fault.said) == ("nvidia-smi", 9, "NVIDIA-SMI has failed")


def test_two_vendors_with_a_tool_of_one_name_do_not_accuse_each_other():
    table = answers(Path(__file__).parents[1] / "machines" / "kunlunxin-p800") | {"intel.devices": ("usage:", 1)}
    readings, faults = read_vendors(table)
    assert len(readings) == 1 and faults == ()


# https://github.com/vllm-project/vllm/issues/19607 (six of eight NICs cut)
A800_PAIR = """\
        GPU0    GPU1    NIC0    NIC1    CPU Affinity    NUMA Affinity   GPU NUMA ID
GPU0     X      NV12    SYS     PXB                             N/A
GPU1    NV12     X      SYS     PXB                             N/A
NIC0    SYS     SYS      X      PIX
NIC1    PXB     PXB     PIX      X

Legend:

  X    = Self
"""
# nvidia-smi underlines the head where it writes to a terminal
MIXED = "\t\x1b[4mGPU0\tGPU1\tGPU2\tCPU Affinity\x1b[0m\n" + (
    "GPU0\t X \tNV12\tSYS\t0-31\nGPU1\tNV12\t X \tSYS\t0-31\nGPU2\tSYS\tSYS\t X \t32-63\n"
)
# https://github.com/vllm-project/vllm/issues/14537: words before the head; one device has a head that is a row's twin
ALONE = "76 NICs found in the topology, only displaying 56 in the matrix.\n\tGPU0\tCPU Affinity\nGPU0\t X \t0-31\n"


@pytest.mark.parametrize(
    ("said", "links"),
    [
        (A800_PAIR, {(0, 1): ("NV12", "direct")}),
        (MIXED, {(0, 1): ("NV12", "direct"), (0, 2): ("SYS", "system"), (1, 2): ("SYS", "system")}),
        (ALONE, {}),
    ],
)
def test_a_matrix_keeps_devices_and_passes_over_all_else(said, links):
    assert {(one.first, one.second): (one.kind, one.medium) for one in read_matrix(said, "GPU")} == links


@pytest.mark.parametrize(("word", "peer"), [("OK", True), ("NS", False), ("CNS", False), ("U", None)])
def test_peers_are_joined_to_links(word, peer):
    query = (Path(__file__).parents[1] / "machines" / "tesla-t4" / "nvidia.query.txt").read_text()
    said = {
        "query": query,
        "topology": A800_PAIR,
        "peers": f" \tGPU0\tGPU1\t\n GPU0\tX\t{word}\t\n GPU1\t{word}\tX\t\n",
    }
    (link,) = next(one for one in VENDORS if one.name == "nvidia").read(said).links
    assert link.peer is peer


def test_mig_instances_get_the_names_that_the_list_tells():
    # the list's form: https://docs.nvidia.com/datacenter/tesla/mig-user-guide/
    query = (Path(__file__).parents[1] / "machines" / "a100-mig" / "nvidia.query.txt").read_text()
    listed = "GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-5)\n" + "  MIG 2g.20gb     Device  0: (UUID: MIG-c)\n" * 4
    nvidia = next(one for one in VENDORS if one.name == "nvidia")
    (device,) = nvidia.read({"query": query, "list": listed}).accelerators
    assert [one.profile for one in device.slices] == ["2g.20gb"] * 4
    (device,) = nvidia.read({"query": query, "list": listed[:80]}).accelerators
    assert {one.profile for one in device.slices} == {""}


def test_amd_smi_is_read_where_rocm_smi_does_not_answer():
    folder = next(machine for machine in MACHINES if machine.name == "2x-mi300x-amd-smi")
    readings, faults = read_vendors(answers(folder) | {"amd.all": ("deprecated", 1)})
    assert [len(one.accelerators) for one in readings] == [2] and faults == ()
    both = answers(folder) | answers(folder.with_name("4x-mi100"))
    ((_, *rest),) = [one.accelerators for one in read_vendors(both)[0]]
    assert len(rest) == 3  # rocm-smi tells the links too
    _, (fault,) = read_vendors({"amd.static": ("no driver", 1)})
    assert fault.tool == "amd-smi"
