"""This machine's own facts: processor, memory, disks, container runtimes."""

import platform
import shutil
import subprocess
from pathlib import Path

import psutil

from dsdeploy.core.values import ContainerRuntime, Disk

_DOCKER_TIMEOUT_S = 5


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
    """Mounted disks that hold data, one row a device; a mount that cannot be read is left out."""
    disks: dict[str, Disk] = {}
    for mount in psutil.disk_partitions(all=False):
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
    template = "{{.ServerVersion}}" if name == "docker" else "{{.Version.Version}}"
    try:
        run = subprocess.run(
            [name, "info", "--format", template], capture_output=True, text=True, timeout=_DOCKER_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() or None if run.returncode == 0 else None
