"""What is wrong with a machine or among several, from what they told: pure, so that an old file is judged anew."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from dsdeploy.core.drivers import engines_out_of_reach
from dsdeploy.core.findings import Finding
from dsdeploy.core.fleet import BrokenHost, Fleet, Machine, Node
from dsdeploy.core.machines import UNLIMITED_BYTES, Accelerator, Health, Link, Profile
from dsdeploy.core.texts import Text, text

_GIB = 1 << 30
# What NCCL's user guide asks of a container, "--shm-size=1g --ulimit memlock=-1":
# https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/troubleshooting/runtime_and_mpi_issues.html
_SHM_BYTES = 1 * _GIB
_CLOCKS_COMPARED = 3
_CLOCK_S = 2.0  # above what date's whole seconds can show; NTP keeps machines of a site within milliseconds
# Idle devices of recorded machines show up to 5.2 % in use (Ascend A3), 1.3 % elsewhere: above 10 % somebody holds it,
# whoever the tool may see; above 2 % only where it names a process.
_HELD_SHARE, _HELD_SHARE_NAMED = 0.10, 0.02

_BROKEN = {
    "HostKeyChanged": (text("host-key-changed"), text("host-key-changed-hint")),
    "HostKeyUnknown": (text("host-key-unknown"), text("host-key-unknown-hint")),
    "HostDenied": (text("host-denied"), text("host-denied-hint")),
    "HostRefused": (text("host-refused"), text("host-refused-hint")),
    "HostTimedOut": (text("host-timed-out"), text("host-timed-out-hint")),
    "HostUnknown": (text("host-unknown"), text("host-unknown-hint")),
    "HostUnreachable": (text("host-unreachable"), text("host-unreachable-hint")),
    "HostNotCollected": (text("host-not-collected"), text("host-not-collected-hint")),
    "SshMissing": (text("ssh-missing"), text("ssh-missing-hint")),
}


def judge_profile(profile: Profile) -> Profile:
    return replace(profile, findings=tuple(_findings(profile)))


def judge_fleet(fleet: Fleet) -> Fleet:
    """Each machine judged, alone and among the others, and each that did not answer explained.

    Of three clocks or more the middle one counts as right: the asking machine's own may be wrong.
    """
    clocks = [one.profile.clock_ahead_s for one in fleet.machines if one.profile.clock_ahead_s is not None]
    usual_s = sorted(clocks)[len(clocks) // 2] if len(clocks) >= _CLOCKS_COMPARED else 0.0
    drivers = _usual_drivers(fleet.machines)
    machines = tuple(replace(one, profile=_judge_machine(one, usual_s, drivers)) for one in fleet.machines)
    return replace(fleet, machines=machines, broken=tuple(map(_explain, fleet.broken)))


def _usual_drivers(machines: tuple[Machine, ...]) -> dict[str, str]:
    """The driver that most machines with a device of this name have."""
    seen: dict[str, Counter[str]] = {}
    for machine in machines:
        for name, driver in {(one.name, one.driver_version) for one in machine.profile.accelerators}:
            if driver:
                seen.setdefault(name, Counter())[driver] += 1
    return {name: max(drivers.items(), key=lambda one: (one[1], one[0]))[0] for name, drivers in seen.items()}


def _judge_machine(machine: Machine, usual_s: float, drivers: dict[str, str]) -> Profile:
    profile = machine.profile
    ahead = profile.clock_ahead_s
    found = list(_findings(profile if ahead is None else replace(profile, clock_ahead_s=ahead - usual_s)))
    for name, driver in sorted({(one.name, one.driver_version or "") for one in profile.accelerators}):
        if driver and driver != drivers[name]:
            message = text("finding-driver-unlike", driver=driver, name=name, usual=drivers[name])
            found.append(_finding("accelerator-driver", "warn", message, text("finding-driver-unlike-hint")))
    return replace(profile, findings=(*found, *(_node_findings(machine.node) if machine.node else ())))


def _node_findings(node: Node) -> Iterator[Finding]:
    if not node.ready:
        yield _finding("node-ready", "fail", text("finding-node-ready"), text("finding-node-ready-hint"))
    if not node.schedulable:
        yield _finding("node-schedulable", "warn", text("finding-node-cordoned"), text("finding-node-cordoned-hint"))
    # those that Kubernetes sets by itself repeat what ready and cordoned say: node.kubernetes.io/not-ready …
    if taints := [one for one in node.taints if not one.key.startswith("node.kubernetes.io/")]:
        words = ", ".join(f"{one.key}{'=' + one.value if one.value else ''}:{one.effect}" for one in taints)
        message = text("finding-node-taints", taints=words)
        yield _finding("node-taints", "warn", message, text("finding-node-taints-hint"))


def _explain(host: BrokenHost) -> BrokenHost:
    message, hint = _BROKEN.get(host.code, _BROKEN["HostUnreachable"])
    values = {"name": host.name, "reason": host.reason or "-"}
    return replace(host, message=Text(message.id, values), hint=Text(hint.id, values))


def _findings(profile: Profile) -> Iterator[Finding]:
    for fault in profile.tool_faults:
        said = fault.said or f"exit code {fault.exit_code}"
        yield _finding(
            "accelerator-tool", "fail", text("finding-tool", tool=fault.tool, said=said), text("finding-tool-hint")
        )
    yield from _device_findings(profile.accelerators)
    yield from _link_findings(profile)
    yield from _driver_findings(profile.accelerators)
    yield from _system_findings(profile)


def _device_findings(devices: tuple[Accelerator, ...]) -> Iterator[Finding]:
    known = [(one, one.health) for one in devices if one.health is not None]

    def where(wrong: list[Accelerator]) -> str:
        return ", ".join(str(one.index) for one in wrong)

    if wrong := [one for one, health in known if health.state not in (None, "OK", "Normal", "Available")]:
        words = ", ".join(sorted({one.health.state or "" for one in wrong if one.health}))
        message = text("finding-state", devices=where(wrong), said=words)
        yield _finding("accelerator-health", "fail", message, text("finding-state-hint"))
    if wrong := [one for one, health in known if health.ecc_uncorrected]:
        count = sum(one.health.ecc_uncorrected or 0 for one in wrong if one.health)
        message = text("finding-ecc", devices=where(wrong), count=count)
        yield _finding("accelerator-ecc", "fail", message, text("finding-ecc-hint"), str(count), "0")
    if wrong := [one for one, health in known if health.repair_failed]:
        yield _finding(
            "accelerator-repair", "fail", text("finding-repair-failed", devices=where(wrong)), text("finding-ecc-hint")
        )
    if wrong := [one for one, health in known if health.repair_pending]:
        message = text("finding-repair-pending", devices=where(wrong))
        yield _finding("accelerator-repair", "warn", message, text("finding-repair-pending-hint"))
    if wrong := [one for one, health in known if health.throttling]:
        words = ", ".join(sorted({word for one in wrong if one.health for word in one.health.throttling or ()}))
        message = text("finding-throttling", devices=where(wrong), said=words)
        yield _finding("accelerator-throttling", "warn", message, text("finding-throttling-hint"), words)
    if wrong := [one for one, health in known if health.persistence is False]:
        message = text("finding-persistence", devices=where(wrong))
        yield _finding("accelerator-persistence", "warn", message, text("finding-persistence-hint"))
    if wrong := [one for one in devices if _is_held(one)]:
        held = sum(one.memory_used_bytes or 0 for one in wrong)
        message = text("finding-held", devices=where(wrong), gib=f"{held / _GIB:.1f}", by=_occupants(wrong))
        yield _finding("accelerator-free", "warn", message, text("finding-held-hint"), f"{held / _GIB:.1f} GiB")


def _is_held(device: Accelerator) -> bool:
    share = (device.memory_used_bytes or 0) / device.memory_bytes if device.memory_bytes else 0.0
    named = device.health is not None and bool(device.health.occupants)
    return share > (_HELD_SHARE_NAMED if named else _HELD_SHARE)


def _occupants(devices: list[Accelerator]) -> str:
    held = [one for device in devices if device.health for one in device.health.occupants or ()]
    names = dict.fromkeys(f"{(one.name or '?').rpartition('/')[2]} ({one.pid or '?'})" for one in held)
    return ", ".join(list(names)[:4]) or "?"


def _link_findings(profile: Profile) -> Iterator[Finding]:
    direct = {(one.first, one.second) for one in profile.links if one.medium == "direct"}
    slow = [one for one in profile.links if one.medium != "direct"]
    if direct and slow:
        kinds = Counter(one.kind for one in slow)
        worst = ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common(3))
        message = text("finding-links", count=len(slow), total=len(profile.links), worst=worst, first=_pair(slow[0]))
        yield _finding("accelerator-links", "warn", message, text("finding-links-hint"))
    elif slow and any(one.medium == "system" for one in slow):
        message = text("finding-links-slow", total=len(profile.links))
        yield _finding("accelerator-links", "warn", message, text("finding-links-hint"))
    if apart := [one for one in profile.links if one.peer is False]:
        message = text("finding-peers", count=len(apart), total=len(profile.links), first=_pair(apart[0]))
        yield _finding("accelerator-peers", "warn", message, text("finding-peers-hint"))
    # from inside a container its process cannot be seen: a device that is registered proves that it runs
    registered = any(one.health is not None and one.health.fabric == "Completed" for one in profile.accelerators)
    if profile.nvswitches and profile.fabric_manager is False and not registered:
        message = text("finding-fabric", count=profile.nvswitches)
        yield _finding("fabric-manager", "fail", message, text("finding-fabric-hint"))
    states = [(one, one.health or Health()) for one in profile.accelerators]
    if waiting := [one for one, health in states if health.fabric not in (None, "Completed")]:
        devices = ", ".join(str(one.index) for one in waiting)
        yield _finding(
            "fabric-manager", "fail", text("finding-fabric-state", devices=devices), text("finding-fabric-hint")
        )


def _pair(link: Link) -> str:
    return f"{link.first}-{link.second}"


def _driver_findings(devices: tuple[Accelerator, ...]) -> Iterator[Finding]:
    for vendor, driver in sorted({(one.vendor, one.driver_version) for one in devices if one.driver_version}):
        for one in engines_out_of_reach(vendor, driver or ""):
            message = text(
                "finding-driver", driver=driver, engine=one.engine, runtime=one.runtime, at_least=one.driver_at_least
            )
            yield _finding(
                "accelerator-driver", "warn", message, text("finding-driver-hint"), driver, one.driver_at_least
            )
    if len(drivers := {(one.vendor, one.driver_version) for one in devices}) > len({one.vendor for one in devices}):
        words = ", ".join(sorted(driver or "?" for _, driver in drivers))
        yield _finding(
            "accelerator-driver", "warn", text("finding-drivers-differ", said=words), text("finding-driver-hint")
        )


def _system_findings(profile: Profile) -> Iterator[Finding]:
    limits = profile.limits
    if limits and limits.shm_bytes is not None and limits.shm_bytes < _SHM_BYTES and len(profile.accelerators) > 1:
        shown = f"{limits.shm_bytes / (1 << 20):.0f} MiB"
        yield _finding(
            "shared-memory", "warn", text("finding-shm", size=shown), text("finding-shm-hint"), shown, "1 GiB"
        )
    if limits and limits.cgroup_memory_bytes is not None:
        shown = f"{limits.cgroup_memory_bytes / _GIB:.1f} GiB"
        yield _finding(
            "cgroup-memory", "warn", text("finding-cgroup-memory", size=shown), text("finding-cgroup-hint"), shown
        )
    if limits and limits.cgroup_cpus is not None and limits.cgroup_cpus < profile.cpu_threads:
        shown = f"{limits.cgroup_cpus:g}"
        message = text("finding-cgroup-cpus", cpus=shown, threads=profile.cpu_threads)
        yield _finding("cgroup-cpus", "warn", message, text("finding-cgroup-hint"), shown)
    memlock = limits.memlock_bytes if limits else None
    if profile.rdma_devices and memlock is not None and memlock < UNLIMITED_BYTES:
        shown = f"{memlock / 1024:.0f} KiB"
        message = text("finding-memlock", size=shown, devices=", ".join(profile.rdma_devices[:3]))
        yield _finding("memlock", "warn", message, text("finding-memlock-hint"), shown, "unlimited")
    ahead, error = profile.clock_ahead_s, profile.clock_error_s or 0.0
    if ahead is not None and abs(ahead) > _CLOCK_S + error:
        shown = f"{ahead:+.0f} s"
        yield _finding(
            "clock", "warn", text("finding-clock", ahead=shown), text("finding-clock-hint"), shown, f"{_CLOCK_S:g} s"
        )


def _finding(
    id: str, status: str, message: Text, hint: Text, measured: str | None = None, limit: str | None = None
) -> Finding:
    return Finding(id, status, message, hint, measured, limit)
