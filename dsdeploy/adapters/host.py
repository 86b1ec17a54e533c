"""This machine's own facts: processor, memory, disks, container runtimes."""

import json
import os
import platform
import resource
import shutil
import socket
import subprocess
from pathlib import Path

import psutil

from dsdeploy.adapters import accelerators
from dsdeploy.core.machines import UNLIMITED_BYTES, ContainerRuntime, Disk, Limits, Profile

_DOCKER_TIMEOUT_S = 5
_FABRIC_MANAGER = "nv-fabricmanager"[:15]  # the kernel keeps 15 characters of a process's name: proc(5)
_DOCKER_SOCKET = Path("/var/run/docker.sock")


def detect_machine() -> Profile:
    """This machine as it is now."""
    memory_bytes, memory_available_bytes = detect_memory()
    seen = accelerators.detect_all()
    return Profile(
        hostname=platform.node(),
        kernel=f"{platform.system()} {platform.release()}",
        cpu_model=detect_cpu_model(),
        cpu_threads=psutil.cpu_count() or 1,
        cpu_cores=psutil.cpu_count(logical=False),
        numa_nodes=detect_numa_nodes(),
        memory_bytes=memory_bytes,
        memory_available_bytes=memory_available_bytes,
        disks=detect_disks(),
        container_runtimes=detect_container_runtimes(),
        accelerators=seen.accelerators,
        links=seen.links,
        limits=detect_limits(),
        cpu_architecture=platform.machine(),
        distribution=_distribution(),
        nvswitches=accelerators.count_nvswitches(),
        fabric_manager=any(one.info["name"] == _FABRIC_MANAGER for one in psutil.process_iter(["name"])),
        rdma_devices=tuple(sorted(place.name for place in Path("/sys/class/infiniband").glob("*"))),
        tool_faults=seen.faults,
    )


def detect_limits(shm: Path = Path("/dev/shm"), cgroup: Path = Path("/sys/fs/cgroup")) -> Limits:
    memlock, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    total, _ = detect_memory(cgroup)
    return Limits(
        shm_bytes=shutil.disk_usage(shm).total if shm.is_dir() else None,
        memlock_bytes=UNLIMITED_BYTES if memlock == resource.RLIM_INFINITY else memlock,
        cgroup_memory_bytes=total if total < psutil.virtual_memory().total else None,
        cgroup_cpus=_cgroup_cpus(cgroup),
    )


def _cgroup_cpus(cgroup: Path) -> float | None:
    """Processors that a container may use: cgroup v2's cpu.max, or v1's quota over its period."""
    try:
        if (cgroup / "cpu.max").exists():
            quota, period = (cgroup / "cpu.max").read_text().split()
        else:
            quota = (cgroup / "cpu/cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu/cpu.cfs_period_us").read_text()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _distribution() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def detect_cpu_model() -> str | None:
    """The processor's name as the kernel prints it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or None


def detect_memory(cgroup: Path = Path("/sys/fs/cgroup")) -> tuple[int, int]:
    """Total and available memory in bytes, no more than this process's container (cgroup v2 or v1) may use."""
    memory = psutil.virtual_memory()
    total, available = int(memory.total), int(memory.available)
    for limit_name, used_name in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            limit, used = int((cgroup / limit_name).read_text()), int((cgroup / used_name).read_text())
        except (OSError, ValueError):
            continue
        total, available = min(total, limit), min(available, max(limit - used, 0))
    return total, available


def detect_numa_nodes() -> int | None:
    return len(list(Path("/sys/devices/system/node").glob("node[0-9]*"))) or None


def detect_disks() -> tuple[Disk, ...]:
    """Mounted disks that hold data, one row a device; a mount that cannot be read is left out. In a container the
    root is none of these: an overlay on a disk of the host."""
    disks: dict[str, Disk] = {}
    root = (one for one in psutil.disk_partitions(all=True) if one.mountpoint == "/" and one.fstype == "overlay")
    for mount in (*psutil.disk_partitions(all=False), *root):
        try:
            usage = psutil.disk_usage(mount.mountpoint)
        except OSError:
            continue
        if Path(mount.mountpoint).is_dir():
            disks.setdefault(mount.device, Disk(mount.mountpoint, mount.fstype, usage.total, usage.free))
    return tuple(sorted(disks.values(), key=lambda disk: disk.path))


def detect_container_runtimes() -> tuple[ContainerRuntime, ...]:
    return tuple(
        ContainerRuntime(name, _server_version(name)) for name in ("docker", "podman") if shutil.which(name) is not None
    )


def _server_version(name: str) -> str | None:
    if name == "docker" and _DOCKER_SOCKET.exists() and "DOCKER_HOST" not in os.environ:
        return _docker_version(_DOCKER_SOCKET)
    template = "{{.ServerVersion}}" if name == "docker" else "{{.Version.Version}}"
    try:
        run = subprocess.run(
            [name, "info", "--format", template], capture_output=True, text=True, timeout=_DOCKER_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() or None if run.returncode == 0 else None


def _docker_version(path: Path) -> str | None:
    """Asks the engine itself: ten times faster than starting its client, which `plan` would wait for."""
    with socket.socket(socket.AF_UNIX) as engine:
        engine.settimeout(_DOCKER_TIMEOUT_S)
        try:
            engine.connect(str(path))
            engine.sendall(b"GET /version HTTP/1.0\r\nHost: docker\r\n\r\n")
            answer = b"".join(iter(lambda: engine.recv(65536), b""))
            return str(json.loads(answer.partition(b"\r\n\r\n")[2])["Version"])
        except (OSError, ValueError, KeyError):
            return None
