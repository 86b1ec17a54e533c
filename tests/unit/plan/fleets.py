"""Machines, bought ones, and requests made up for the planner: only what it looks at."""

from dsdeploy.core.fleet import Fleet, Machine
from dsdeploy.core.machines import Accelerator, Disk, Health, Link, Profile
from dsdeploy.core.plan import Request
from dsdeploy.stages.plan import Pools, pool_to_buy

GIB, TB = 2**30, 10**12


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


def bought(name: str, count: int = 8, nodes: int = 1, memory: int | None = None) -> Pools:
    return Pools((pool_to_buy(name, count, nodes, memory, TB),))


def wants(model: str | None = None, users: int = 8, context: int = 16384, **more) -> Request:
    return Request(model, users, context, "auto", **more)


def codes(plan) -> set[str]:
    return {one.code for one in plan.warnings}
