"""Groups a fleet's accelerators into pools: nodes that are alike, whose devices are alike."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain

from dsdeploy.core.accelerators import AcceleratorSpec, find_accelerator, offered_bytes, slice_of
from dsdeploy.core.errors import UnknownAccelerator
from dsdeploy.core.fleet import Fleet, Machine, Node, Taint
from dsdeploy.core.machines import Accelerator, Profile
from dsdeploy.core.plan import Remark
from dsdeploy.stages.plan.products import Note, note_unknown, product_of

_GIB = 1 << 30
_HOST_STEP_BYTES = 32 * _GIB  # nodes whose free memory differs by less are alike
_MIG_RESOURCE = "nvidia.com/mig-"  # with the device plugin's mixed strategy; nvidia.com/gpu with its single one
_HELD_SHARE = 0.10  # as core.health: idle devices show up to 5 % in use
_ALIKE = 1.1  # times the smallest: firmware and ECC set aside less, products of one name differ by more
_KUBERNETES = "node.kubernetes.io/"  # what it taints nodes with by itself repeats what ready and cordoned say
_COMPUTE_SLICES = 7  # of a card (NVIDIA MIG user guide)
_OFFERED_OF_SLICE = 0.99  # as of a whole device where no more is known


@dataclass(frozen=True, slots=True)
class Pool:
    """Nodes with `devices` accelerators of one kind each; `names` are the machines, empty for hardware to be bought,
    `indices` each one's devices by number.

    `device_bytes` is what the driver offers a program on the device that offers least; `linked` is whether every pair
    of a node's devices is joined by the accelerator's own link. `host_bytes` and `disk_bytes` are what is free on the
    node that has least; None is unknown. `rdma` is whether every node has such a network. `slice` names the MIG
    profile that each device is an instance of: such devices serve alone, for NCCL joins none of them. Of them
    `slices_per_card` share a card, and a cluster offers them as `resource` where not as whole devices.
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
    indices: tuple[tuple[int, ...], ...] = ()
    slice: str | None = None
    slices_per_card: int = 1
    resource: str | None = None

    @property
    def title(self) -> str:
        return f"{self.nodes} x {self.devices} x {self.spec.name}" + (f" {self.slice}" if self.slice else "")


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

    for host in fleet.broken:
        note("plan-host-broken", name=host.name, error=host.code)
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
    return pool.spec.id, pool.slice, pool.slices_per_card, pool.resource, pool.devices, pool.linked, pool.rdma, *rough


def _merge(members: list[tuple[Machine, Pool]]) -> Pool:
    members = sorted(members, key=lambda one: _faults(one[0]))
    pools = [pool for _, pool in members]
    disks = [pool.disk_bytes for pool in pools if pool.disk_bytes is not None]
    hosts = [pool.host_bytes for pool in pools if pool.host_bytes is not None]
    return replace(
        pools[0],
        nodes=len(members),
        device_bytes=min(pool.device_bytes for pool in pools),
        host_bytes=min(hosts, default=None),
        disk_bytes=min(disks, default=None),
        names=tuple(machine.name for machine, _ in members),
        indices=tuple(chain.from_iterable(pool.indices for pool in pools)),
    )


def _faults(machine: Machine) -> tuple[int, int, str]:
    """The soundest machines first: they are taken where not all are needed."""
    said = [one.status for one in machine.profile.findings]
    return said.count("fail"), said.count("warn"), machine.name


def takes_pods(machine: Machine) -> bool:
    """Whether a node may serve; a machine that is no node may. Taints named as an accelerator's resource keep other
    pods off it, and a release tolerates them."""
    return machine.node is None or (machine.node.ready and machine.node.schedulable and not _barred(machine.node))


def _barred(node: Node) -> tuple[Taint, ...]:
    """A node that is not ready or cordoned is tainted by Kubernetes for that."""
    return tuple(
        one
        for one in node.taints
        if one.effect != "PreferNoSchedule" and one.key not in node.resources and not one.key.startswith(_KUBERNETES)
    )


def _node_pools(machine: Machine, note: Note) -> Iterable[Pool]:
    profile = machine.profile
    if machine.node is not None and not takes_pods(machine):
        if taints := _barred(machine.node):
            note("plan-node-tainted", name=machine.name, taint=f"{taints[0].key}:{taints[0].effect}")
        else:
            note("plan-node-out", name=machine.name)
        return
    yield from _slice_pools(machine, note)
    free = _usable_devices(profile, machine.name, note)
    kinds = _kinds(free, by_size=machine.node is None)
    if len(kinds) > 1:
        note("plan-mixed-devices", name=machine.name, kinds=", ".join(map(_title, kinds)))
    for devices in kinds:
        name = devices[0].name
        spec, known = product_of(name, devices[0])
        reported = min((one.memory_bytes for one in devices if one.memory_bytes), default=None)
        if not known:
            note_unknown(spec, reported, note)
        if not (known or reported):
            continue
        offered, linked = offered_bytes(spec, reported), _linked(profile, devices, spec)
        pool = _node_pool(profile, spec, len(devices), offered)
        yield replace(pool, linked=linked, known=known, indices=(tuple(sorted(one.index for one in devices)),))


def _kinds(free: list[Accelerator], *, by_size: bool) -> list[list[Accelerator]]:
    """Devices of one name, and by size of about one memory; a cluster's scheduler tells sizes of one name not apart."""
    kinds: list[list[Accelerator]] = []
    for one in sorted(free, key=lambda one: (one.name, one.memory_bytes or 0, one.index)):
        first = kinds[-1][0] if kinds else one
        larger = by_size and (one.memory_bytes or 0) > _ALIKE * (first.memory_bytes or 0)
        if not kinds or first.name != one.name or larger:
            kinds.append([])
        kinds[-1].append(one)
    return kinds


def _title(devices: list[Accelerator]) -> str:
    size = min(one.memory_bytes or 0 for one in devices)
    return f"{len(devices)} x {devices[0].name}" + (f" {size / _GIB:.1f} GiB" if size else "")


def _node_pool(profile: Profile, spec: AcceleratorSpec, devices: int, device_bytes: float) -> Pool:
    disk = max(profile.disks, key=lambda one: one.free_bytes, default=None)
    return Pool(
        spec=spec,
        devices=devices,
        nodes=1,
        device_bytes=device_bytes,
        rdma=bool(profile.rdma_devices),
        host_bytes=profile.memory_available_bytes,
        disk_bytes=disk.free_bytes if disk else None,
        disk_path=disk.path if disk else "",
    )


def _slice_pools(machine: Machine, note: Note) -> Iterable[Pool]:
    """The MIG instances of a node whose instances are all alike, each a device by itself."""
    cut = [one for one in machine.profile.accelerators if one.slices]
    kinds = {(one.name, piece.profile, piece.memory_bytes) for one in cut for piece in one.slices or ()}
    if len(kinds) != 1:
        for one in cut:
            note("plan-device-sliced", name=machine.name, index=one.index)
        return
    ((name, profile, memory_bytes),) = kinds
    count = sum(len(one.slices or ()) for one in cut)
    try:
        spec = slice_of(find_accelerator(name), profile, memory_bytes or 0)
    except UnknownAccelerator:
        spec = None
    if spec is None or not memory_bytes:
        note("plan-device-sliced", name=machine.name, index=cut[0].index)
        return
    note("plan-device-slices", name=machine.name, count=count, profile=profile or "MIG")
    resource = f"{_MIG_RESOURCE}{profile}"
    yield replace(
        _node_pool(machine.profile, spec, count, memory_bytes * _OFFERED_OF_SLICE),
        linked=False,
        slice=profile or "MIG",
        slices_per_card=_slices_per_card(cut, profile),
        resource=resource if machine.node and resource in machine.node.resources else None,
    )


def _slices_per_card(cut: list[Accelerator], profile: str) -> int:
    """As the machine's tool lists them; a cluster lists each alone, then as many as the profile's compute allows."""
    most = max(len(one.slices or ()) for one in cut)
    compute = re.match(r"(\d)g\.", profile)
    return most if most > 1 or not compute else max(1, _COMPUTE_SLICES // int(compute[1]))


def _usable_devices(profile: Profile, name: str, note: Note) -> list[Accelerator]:
    """Devices that are free and whole: not cut into slices, not held by others, with no failed memory."""
    found = []
    for one in profile.accelerators:
        health = one.health
        if one.slices is not None:
            if not one.slices:
                note("plan-device-uncut", name=name, index=one.index)
        elif one.memory_bytes and (one.memory_used_bytes or 0) > _HELD_SHARE * one.memory_bytes:
            note("plan-device-held", name=name, index=one.index, used=f"{one.memory_used_bytes:,}")
        elif health and (health.repair_failed or health.ecc_uncorrected):
            note("plan-device-ill", name=name, index=one.index)
        else:
            found.append(one)
    return found


def _linked(profile: Profile, devices: list[Accelerator], spec: AcceleratorSpec) -> bool:
    """By the links that were seen; by what the product has where none were."""
    if spec.link in (None, "PCIe"):
        return False
    here = {one.index for one in devices}
    seen = [one for one in profile.links if {one.first, one.second} <= here]
    if seen:
        return all(one.medium == "direct" for one in seen)
    return (spec.link_devices or len(devices)) >= len(devices)
