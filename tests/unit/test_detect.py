"""This machine's own tools: asked with a time limit, and passed over where no device is."""

from pathlib import Path

import pytest

from dsdeploy.adapters import accelerators
from dsdeploy.adapters.host import detect_limits, detect_machine
from dsdeploy.core.machines import UNLIMITED_BYTES

T4 = Path(__file__).parents[1] / "machines" / "tesla-t4" / "nvidia.query.txt"


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A folder for recorded tools, on a machine that is made to believe it has a device."""
    monkeypatch.setattr(accelerators, "_anything_like_one", lambda: True)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def write(name: str, body: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)

    return write


def test_the_vendors_own_tool_is_asked(tools):
    tools("nvidia-smi", f'[ "$1" = topo ] && exit 1; cat {T4}')
    machine = detect_machine()
    assert [one.name for one in machine.accelerators] == ["Tesla T4"]
    assert machine.links == () and machine.tool_faults == ()


def test_a_tool_that_hangs_is_given_up(tools, monkeypatch):
    monkeypatch.setattr(accelerators, "TOOL_TIMEOUT_S", 0.2)
    tools("npu-smi", "exec sleep 30")
    seen = accelerators.detect_all()
    assert [(one.tool, one.exit_code) for one in seen.faults] == [("npu-smi", 124)]


def test_a_tool_of_another_architecture_is_a_fault(tools):
    tools("mx-smi", "")
    Path(accelerators.shutil.which("mx-smi")).write_bytes(b"\x7fELF nothing that runs")
    assert [one.tool for one in accelerators.detect_all().faults] == ["mx-smi"]


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({"cpu.max": "400000 100000"}, 4.0),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "150000", "cpu/cpu.cfs_period_us": "100000"}, 1.5),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_what_a_container_may_use(tmp_path, files, cpus):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content + "\n")
    limits = detect_limits(shm=tmp_path / "missing", cgroup=tmp_path)
    assert (limits.cgroup_cpus, limits.cgroup_memory_bytes, limits.shm_bytes) == (cpus, None, None)
    assert limits.memlock_bytes is not None and 0 < limits.memlock_bytes <= UNLIMITED_BYTES
