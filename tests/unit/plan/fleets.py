"""Machines made up for the planner: only what it looks at."""

from dsdeploy.core.fleet import Fleet, Machine
from dsdeploy.core.machines import Accelerator, Disk, Health, Link, Profile

GIB = 2**30


def node(
    name: str, count: int, kind: str = "NVIDIA H20", memory_gib: float = 95.6, *, host_gib: int = 900,
    disk_gib: int = 4000, used_gib: float = 0.0, rdma: bool = True, health: Health | None = None,
    links: tuple[Link, ...] = (), slices=None,
) -> Machine:  # fmt: skip
    devices = tuple(
        Accelerator("nvidia", kind, index, int(memory_gib * GIB), int(used_gib * GIB), "570.0", "12.8", slices=slices,
                    health=health)
        for index in range(count)
    )  # fmt: skip
    disk = Disk("/", "ext4", disk_gib * GIB, disk_gib * GIB)
    host = host_gib * GIB
    profile = Profile(
        name, "Linux", None, 128, 64, 2, host, host, (disk,), (), devices, links=links,
        rdma_devices=("mlx5_0",) if rdma else (),
    )  # fmt: skip
    return Machine(name, profile)


def fleet(*machines: Machine) -> Fleet:
    return Fleet(machines)
