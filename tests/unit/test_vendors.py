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
    assert faults == () and expected["source"].startswith("https://") and len(reading.accelerators) == expected["count"]
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


NVIDIA_TOPOLOGY = """\
\t\x1b[4mGPU0\tGPU1\tGPU2\tNIC0\tCPU Affinity\x1b[0m
GPU0\t X \tNV12\tSYS\tPXB\t0-31
GPU1\tNV12\t X \tSYS\tPXB\t0-31
GPU2\tSYS\tSYS\t X \tSYS\t32-63
NIC0\tPXB\tPXB\tSYS\t X

Legend:

  X    = Self
"""


def test_a_matrix_keeps_devices_and_passes_over_nics():
    links = {(one.first, one.second): (one.kind, one.medium) for one in read_matrix(NVIDIA_TOPOLOGY, "GPU")}
    assert links == {(0, 1): ("NV12", "direct"), (0, 2): ("SYS", "system"), (1, 2): ("SYS", "system")}
