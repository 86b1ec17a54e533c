"""What is wrong with a machine follows from what it told, and only from that."""

from dataclasses import replace
from pathlib import Path

import pytest

from dsdeploy.adapters.accelerators.vendors import read_vendors
from dsdeploy.core.fleet import BrokenHost, Fleet, Machine
from dsdeploy.core.health import judge_fleet, judge_profile
from dsdeploy.core.machines import (
    UNLIMITED_BYTES,
    Accelerator,
    Disk,
    Health,
    Limits,
    Link,
    Occupant,
    Profile,
    ToolFault,
)

GIB = 1 << 30
GPUS = tuple(
    Accelerator("nvidia", "NVIDIA H20", index, 96 * GIB, GIB // 2, "580.95.05", "13.0", health=Health(persistence=True))
    for index in range(4)
)
LINKS = tuple(Link(a, b, "NV18", "direct") for a in range(4) for b in range(a + 1, 4))
SOUND = Profile(
    "h", "Linux 6", None, 64, 32, 2, 512 * GIB, 500 * GIB, (Disk("/", "xfs", 4, 2),), (), GPUS, links=LINKS,
    limits=Limits(shm_bytes=256 * GIB, memlock_bytes=UNLIMITED_BYTES), nvswitches=4, fabric_manager=True,
    rdma_devices=("mlx5_0",), clock_ahead_s=0.4, clock_error_s=0.6,
)  # fmt: skip


def with_health(**facts):
    first = replace(GPUS[0], health=replace(GPUS[0].health, **facts))
    return {"accelerators": (first, *GPUS[1:])}


def test_a_sound_machine_has_no_findings():
    assert judge_profile(SOUND).findings == ()


@pytest.mark.parametrize(
    ("changes", "id", "status"),
    [
        (with_health(ecc_uncorrected=3), "accelerator-ecc", "fail"),
        (with_health(repair_failed=True), "accelerator-repair", "fail"),
        (with_health(repair_pending=True), "accelerator-repair", "warn"),
        (with_health(throttling=("hw_thermal_slowdown",)), "accelerator-throttling", "warn"),
        (with_health(persistence=False), "accelerator-persistence", "warn"),
        (with_health(state="Alarm"), "accelerator-health", "fail"),
        (with_health(fabric="In Progress"), "fabric-manager", "fail"),
        ({"fabric_manager": False}, "fabric-manager", "fail"),
        ({"links": (*LINKS[1:], Link(0, 1, "SYS", "system"))}, "accelerator-links", "warn"),
        ({"links": (Link(0, 1, "SYS", "system"),)}, "accelerator-links", "warn"),
        ({"links": (replace(LINKS[0], peer=False), *LINKS[1:])}, "accelerator-peers", "warn"),
        ({"accelerators": (replace(GPUS[0], driver_version="550.54.15"),)}, "accelerator-driver", "warn"),
        ({"accelerators": (replace(GPUS[0], memory_used_bytes=20 * GIB),)}, "accelerator-free", "warn"),
        ({"tool_faults": (ToolFault("nvidia-smi", 9, "no driver"),)}, "accelerator-tool", "fail"),
        ({"limits": Limits(shm_bytes=64 << 20)}, "shared-memory", "warn"),
        ({"limits": Limits(cgroup_memory_bytes=GIB)}, "cgroup-memory", "warn"),
        ({"limits": Limits(cgroup_cpus=8.0)}, "cgroup-cpus", "warn"),
        ({"limits": Limits(memlock_bytes=65536)}, "memlock", "warn"),
        ({"clock_ahead_s": -30.0}, "clock", "warn"),
    ],
)
def test_each_fault_alone_is_found_with_words_in_both_languages(changes, id, status):
    (finding,) = judge_profile(replace(SOUND, **changes)).findings
    assert (finding.id, finding.status) == (id, status)
    for language in ("en", "zh"):
        assert finding.message.render(language) and finding.hint and finding.hint.render(language)


def test_unknown_is_never_a_fault():
    bare = replace(SOUND, limits=None, nvswitches=None, fabric_manager=None, rdma_devices=None, clock_ahead_s=None)
    unknown = tuple(replace(one, health=None, driver_version=None, memory_used_bytes=None) for one in GPUS)
    assert judge_profile(replace(bare, accelerators=unknown, links=())).findings == ()


def test_a_registered_device_proves_a_fabric_manager_that_a_container_cannot_see():
    inside = replace(SOUND, fabric_manager=False, **with_health(fabric="Completed"))
    assert judge_profile(inside).findings == ()


def test_a_small_clock_difference_within_what_can_be_known_is_passed_over():
    assert judge_profile(replace(SOUND, clock_ahead_s=5.0, clock_error_s=4.0)).findings == ()


def test_who_holds_memory_is_named():
    held = replace(
        GPUS[0], memory_used_bytes=80 * GIB, health=Health(occupants=(Occupant(77, "/usr/bin/python3", GIB),))
    )
    (finding,) = judge_profile(replace(SOUND, accelerators=(held,))).findings
    assert "python3 (77)" in finding.message.render("en")


def test_an_unknown_code_in_a_file_from_a_newer_release_is_still_explained():
    (broken,) = judge_fleet(Fleet((), (BrokenHost("x", "HostOnFire", "smoke"),))).broken
    assert broken.message and "smoke" in broken.message.render("zh")


@pytest.mark.parametrize(
    ("machine", "held"),
    [("ascend-a3-npu-smi", False), ("metax-c500", False), ("3x-mtt-s5000", True), ("tesla-t4", True)],
)
def test_recorded_idle_devices_are_not_said_to_be_held(machine, held):
    folder = Path(__file__).parents[1] / "machines" / machine
    (reading,), _ = read_vendors({path.stem: (path.read_text(), 0) for path in folder.glob("*.txt")})
    found = judge_profile(replace(SOUND, accelerators=reading.accelerators, links=())).findings
    assert ("accelerator-free" in {one.id for one in found}) is held


def fleet_of(*profiles):
    return judge_fleet(Fleet(tuple(Machine(str(place), one) for place, one in enumerate(profiles))))


def test_among_three_clocks_the_odd_one_is_named_and_not_the_asking_ones():
    clocks = [replace(SOUND, clock_ahead_s=ahead) for ahead in (-60.0, -60.2, 3.0)]
    found = [[one.id for one in machine.profile.findings] for machine in fleet_of(*clocks).machines]
    assert found == [[], [], ["clock"]]


def test_the_machine_with_another_driver_is_named():
    odd = replace(SOUND, accelerators=tuple(replace(one, driver_version="590.1") for one in GPUS))
    found = [[one.id for one in machine.profile.findings] for machine in fleet_of(SOUND, odd, SOUND).machines]
    assert found == [[], ["accelerator-driver"], []]
