from typing import NamedTuple

import psutil
import pytest

from dsdeploy.adapters.host import detect_disks, detect_memory


class Mount(NamedTuple):
    device: str
    mountpoint: str
    fstype: str


@pytest.mark.parametrize(
    ("limit", "used"),
    [("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes")],
)
def test_a_container_may_use_no_more_than_its_limit(tmp_path, limit, used):
    (tmp_path / "memory").mkdir()
    (tmp_path / limit).write_text("1048576\n")
    (tmp_path / used).write_text("1000000\n")
    assert detect_memory(tmp_path) == (1048576, 48576)


def test_no_limit_leaves_the_machines_own_memory(tmp_path):
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1\n")
    assert detect_memory(tmp_path)[0] == psutil.virtual_memory().total


def test_in_a_container_the_root_is_a_disk(monkeypatch):
    def partitions(all):
        return [Mount("overlay", "/", "overlay"), Mount("overlay", "/var/lib/docker/x", "overlay")] if all else []

    monkeypatch.setattr(psutil, "disk_partitions", partitions)
    assert [one.path for one in detect_disks()] == ["/"]
