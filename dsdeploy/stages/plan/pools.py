"""Groups a fleet's accelerators into pools: nodes that are alike, whose devices are alike."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from dsdeploy.core.accelerators import AcceleratorSpec, find_accelerator, offered_bytes
from dsdeploy.core.errors import UnknownAccelerator
from dsdeploy.core.fleet import Fleet, Machine
from dsdeploy.core.machines import Accelerator, Profile
from dsdeploy.core.plan import Remark

_GIB = 1 << 30
_HOST_STEP_BYTES = 32 * _GIB  # nodes whose free memory differs by less are alike
_HELD_SHARE = 0.10  # as core.health: idle devices show up to 5 % in use


Note = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Pool:
    """Nodes with `devices` accelerators of one kind each; `names` are the machines, empty for hardware to be bought.

    `device_bytes` is what the driver offers a program on the device that offers least; `linked` is whether every pair
    of a node's devices is joined by the accelerator's own link. `host_bytes` and `disk_bytes` are what is free on the
    node that has least; None is unknown. `rdma` is whether every node has such a network.
    """

    spec: AcceleratorSpec
    devices: int
    nodes: int
    device_bytes: float
    linked: bool = True
    rdma: bool = False
    known: bool = True
    host_bytes: int | None = None
    disk_bytes: int | None = None
    disk_path: str = ""
    names: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.nodes} x {self.devices} x {self.spec.name}"


@dataclass(frozen=True, slots=True)
class Pools:
    """What a plan may stand on, largest first, and what was left out with the reason."""

    pools: tuple[Pool, ...]
    remarks: tuple[Remark, ...] = ()


def pool_to_buy(name: str, count: int, nodes: int, device_memory_bytes: int | None, host_bytes: int | None) -> Pool:
    """Hardware that is not there yet. Raises UnknownAccelerator."""
    spec = find_accelerator(name)
    offered = float(device_memory_bytes) if device_memory_bytes else offered_bytes(spec)
    linked = spec.link not in (None, "PCIe") and (spec.link_devices or count) >= count
    return Pool(spec, count, nodes, offered, linked=linked, rdma=nodes > 1, host_bytes=host_bytes)


def pools_of(fleet: Fleet) -> Pools:
    """Alike nodes are counted, not listed one by one, so that a thousand cost no more than their kinds."""
    groups: dict[tuple[object, ...], list[tuple[Machine, Pool]]] = defaultdict(list)
    said: dict[str, Remark] = {}

    def note(code: str, **values: object) -> None:
        """The first of a kind is kept, the others are counted."""
        known = said.get(code)
        words = {name: str(value) for name, value in values.items()}
        said[code] = replace(known, times=known.times + 1) if known else Remark(code, words)

    for machine in fleet.machines:
        for pool in _node_pools(machine, note):
            groups[_kind(pool)].append((machine, pool))
    pools = tuple(sorted((_merge(members) for members in groups.values()), key=_size, reverse=True))
    if len(pools) > 1:
        note("plan-pools", count=len(pools))
    return Pools(pools, tuple(said.values()))


def _size(pool: Pool) -> tuple[float, str]:
    return pool.device_bytes * pool.devices * pool.nodes, pool.spec.id


def _kind(pool: Pool) -> tuple[object, ...]:
    rough = (None if pool.host_bytes is None else pool.host_bytes // _HOST_STEP_BYTES, round(pool.device_bytes / _GIB))
    return pool.spec.id, pool.devices, pool.linked, pool.rdma, *rough


def _merge(members: list[tuple[Machine, Pool]]) -> Pool:
    pools = [pool for _, pool in members]
    disks = [pool.disk_bytes for pool in pools if pool.disk_bytes is not None]
    hosts = [pool.host_bytes for pool in pools if pool.host_bytes is not None]
    return replace(
        pools[0],
        nodes=len(members),
        device_bytes=min(pool.device_bytes for pool in pools),
        host_bytes=min(hosts, default=None),
        disk_bytes=min(disks, default=None),
        names=tuple(sorted(machine.name for machine, _ in members)),
    )


def _node_pools(machine: Machine, note: Note) -> Iterable[Pool]:
    profile = machine.profile
    if machine.node is not None and not (machine.node.ready and machine.node.schedulable):
        note("plan-node-out", name=machine.name)
        return
    free = _usable_devices(profile, machine.name, note)
    by_kind: dict[str, list[Accelerator]] = defaultdict(list)
    for one in free:
        by_kind[one.name].append(one)
    if len(by_kind) > 1:
        note("plan-mixed-devices", name=machine.name, kinds=", ".join(sorted(by_kind)))
    for name, devices in sorted(by_kind.items()):
        spec, known = _spec(name, devices[0], note)
        reported = min((one.memory_bytes for one in devices if one.memory_bytes), default=None)
        disk = max(profile.disks, key=lambda one: one.free_bytes, default=None)
        yield Pool(
            spec=spec,
            devices=len(devices),
            nodes=1,
            device_bytes=offered_bytes(spec, reported),
            linked=_linked(profile, devices, spec),
            rdma=bool(profile.rdma_devices),
            known=known,
            host_bytes=profile.memory_available_bytes,
            disk_bytes=disk.free_bytes if disk else None,
            disk_path=disk.path if disk else "",
        )


def _usable_devices(profile: Profile, name: str, note: Note) -> list[Accelerator]:
    """Devices that are free and whole: not cut into slices, not held by others, with no failed memory."""
    found = []
    for one in profile.accelerators:
        health = one.health
        if one.slices is not None:
            note("plan-device-sliced", name=name, index=one.index)
        elif one.memory_bytes and (one.memory_used_bytes or 0) > _HELD_SHARE * one.memory_bytes:
            note("plan-device-held", name=name, index=one.index, used=f"{one.memory_used_bytes:,}")
        elif health and (health.repair_failed or health.ecc_uncorrected):
            note("plan-device-ill", name=name, index=one.index)
        else:
            found.append(one)
    return found


def _spec(name: str, device: Accelerator, note: Note) -> tuple[AcceleratorSpec, bool]:
    """The catalogue's, or what can be said of a device that it lacks: its memory."""
    try:
        return find_accelerator(_full_name(name, device)), True
    except UnknownAccelerator:
        note("plan-unknown-device", name=name)
    unknown = AcceleratorSpec(
        id=re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"), name=name, vendor=device.vendor, aliases=(),
        architecture=None, memory_nominal_bytes=device.memory_bytes or 0, memory_reported_bytes=device.memory_bytes,
        memory_bytes_per_s=None, dense_tflops={}, link=None, link_bytes_per_s=None, pcie_bytes_per_s=None,
        formats=(), sources=(),
    )  # fmt: skip
    return unknown, False


def _full_name(name: str, device: Accelerator) -> str:
    """Some products share a name and differ in memory: the size makes it whole where the catalogue has both."""
    if device.memory_bytes:
        sized = f"{name} {round(device.memory_bytes / _GIB)}GB"
        try:
            return find_accelerator(sized).id
        except UnknownAccelerator:
            pass
    return name


def _linked(profile: Profile, devices: list[Accelerator], spec: AcceleratorSpec) -> bool:
    """By the links that were seen; by what the product has where none were."""
    if spec.link in (None, "PCIe"):
        return False
    here = {one.index for one in devices}
    seen = [one for one in profile.links if {one.first, one.second} <= here]
    if seen:
        return all(one.medium == "direct" for one in seen)
    return (spec.link_devices or len(devices)) >= len(devices)
