"""The machine that a collector's answers describe: pure."""

import re

from dsdeploy.adapters.accelerators.vendors import read_vendors
from dsdeploy.adapters.collector import Answer, NotCollected
from dsdeploy.core.machines import UNLIMITED_BYTES, ContainerRuntime, Disk, Limits, Profile
from dsdeploy.core.texts import text

_KIB = 1024
# Filesystems without a disk of their own, or read-only images: https://docs.kernel.org/filesystems/
_NOT_DISKS = ("tmpfs", "devtmpfs", "squashfs", "efivarfs", "iso9660", "ramfs", "erofs")
_NVIDIA, _BRIDGE_OTHER = "0x10de", "0x068000"  # NVSwitch chips are "Bridge: NVIDIA …", class 0680: pci.ids


def read_machine(answers: dict[str, Answer]) -> Profile:
    """Raises NotCollected where the memory or the processors are missing: no plan could count on such a machine."""
    try:
        return _machine(answers)
    except NotCollected:
        raise
    except (ValueError, LookupError) as error:
        raise NotCollected(text("reason-garbled")) from error


def _machine(answers: dict[str, Answer]) -> Profile:
    memory: dict[str, str] = dict(re.findall(r"(\w+):\s+(\d+) kB", _said(answers, "memory") or ""))
    threads = _number(_said(answers, "threads"))
    if "MemTotal" not in memory or threads is None:
        raise NotCollected(text("reason-no-memory"))
    limits = _limits(answers)
    total = int(memory["MemTotal"]) * _KIB
    usable = min(total, limits.cgroup_memory_bytes or total)
    cores, nodes = _cores(_said(answers, "cores") or "")
    readings, faults = read_vendors({name: (one.said, one.exit_code) for name, one in answers.items()})
    pci = (_said(answers, "pci") or "").splitlines()
    fabric = {"running": True, "absent": False}.get(_said(answers, "fabric-manager") or "")
    rdma = _said(answers, "rdma")
    return Profile(
        hostname=_said(answers, "hostname") or "",
        kernel=_said(answers, "kernel") or "",
        cpu_model=(_said(answers, "cpu") or "").partition(":")[2].strip() or None,
        cpu_threads=threads,
        cpu_cores=cores,
        numa_nodes=nodes,
        memory_bytes=usable,
        memory_available_bytes=min(usable, int(memory.get("MemAvailable", memory.get("MemFree", "0"))) * _KIB),
        disks=_disks(_said(answers, "disks") or ""),
        container_runtimes=tuple(
            ContainerRuntime(name, _said(answers, name)) for name in ("docker", "podman") if name in answers
        ),
        accelerators=tuple(device for reading in readings for device in reading.accelerators),
        links=tuple(link for reading in readings for link in reading.links),
        limits=limits,
        cpu_architecture=_said(answers, "architecture"),
        distribution=_distribution(_said(answers, "distribution") or ""),
        nvswitches=pci.count(f"{_NVIDIA} {_BRIDGE_OTHER}") if pci else None,
        fabric_manager=fabric,
        rdma_devices=tuple(rdma.split()) if rdma else None if rdma is None else (),
        tool_faults=faults,
    )


def clock_s(answers: dict[str, Answer]) -> int | None:
    """The machine's own time when it was asked, in seconds since 1970."""
    return _number(_said(answers, "clock"))


def _said(answers: dict[str, Answer], name: str) -> str | None:
    one = answers.get(name)
    return one.said.strip() or None if one and one.exit_code == 0 else None


def _number(said: str | None) -> int | None:
    return int(said) if said and said.isdigit() else None


def _limits(answers: dict[str, Answer]) -> Limits:
    cgroup = dict(line.split(maxsplit=1) for line in (_said(answers, "cgroup") or "").splitlines() if " " in line)
    memory = _number(cgroup.get("memory.max") or cgroup.get("memory/memory.limit_in_bytes"))
    quota, _, period = cgroup.get("cpu.max", "").partition(" ")
    quota = quota or cgroup.get("cpu/cpu.cfs_quota_us", "")
    period = period or cgroup.get("cpu/cpu.cfs_period_us", "")
    shm = (_said(answers, "shm") or "").splitlines()
    memlock = _said(answers, "memlock")
    kib = _number(memlock)
    return Limits(
        shm_bytes=int(shm[-1].split()[1]) * _KIB if len(shm) > 1 else None,
        memlock_bytes=UNLIMITED_BYTES if memlock == "unlimited" else None if kib is None else kib * _KIB,
        # cgroup v1 tells of no limit by a number near 2**63
        cgroup_memory_bytes=memory if memory and memory < 1 << 60 else None,
        cgroup_cpus=int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None,
    )


def _cores(lscpu: str) -> tuple[int | None, int | None]:
    """Cores and NUMA nodes, from lscpu's CPU,CORE,SOCKET,NODE rows."""
    rows = [line.split(",") for line in lscpu.splitlines() if line and not line.startswith("#")]
    full = [row for row in rows if len(row) == 4]
    cores, nodes = {(row[1], row[2]) for row in full}, {row[3] for row in full if row[3]}
    return len(cores) or None, len(nodes) or None


def _disks(df: str) -> tuple[Disk, ...]:
    """One row a device, the first mount of each; paths with spaces are kept whole. An overlay is a container's root,
    seen from inside: other containers' are on a disk that has its own row."""
    disks: dict[str, Disk] = {}
    for line in df.splitlines()[1:]:
        words = line.split(maxsplit=6)
        if len(words) == 7 and words[2].isdigit() and int(words[2]) and words[1] not in _NOT_DISKS:
            if words[1] == "overlay" and words[6] != "/":
                continue
            free = int(words[4]) * _KIB if words[4].isdigit() else 0
            disks.setdefault(words[0], Disk(words[6], words[1], int(words[2]) * _KIB, free))
    return tuple(sorted(disks.values(), key=lambda disk: disk.path))


def _distribution(release: str) -> str | None:
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)', release, re.MULTILINE)
    return found[1] if found else None
