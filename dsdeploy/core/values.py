"""The values that flow between stages: frozen, serialisable, units in the names, unknown is None."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One device as its vendor's library describes it."""

    vendor: str
    name: str
    index: int
    memory_bytes: int | None
    memory_used_bytes: int | None
    driver_version: str | None
    runtime_version: str | None


@dataclass(frozen=True, slots=True)
class Disk:
    path: str
    filesystem: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class ContainerRuntime:
    """`version` is None when the client is there and no daemon answers."""

    name: str
    version: str | None


@dataclass(frozen=True, slots=True)
class Profile:
    """One machine: what a plan may count on."""

    hostname: str
    kernel: str
    cpu_model: str | None
    cpu_threads: int
    cpu_cores: int | None
    numa_nodes: int | None
    memory_bytes: int
    memory_available_bytes: int
    disks: tuple[Disk, ...]
    container_runtimes: tuple[ContainerRuntime, ...]
    accelerators: tuple[Accelerator, ...]
