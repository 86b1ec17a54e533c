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


@dataclass(frozen=True, slots=True)
class Request:
    """What the user wants; `model_id` None means the best that fits."""

    model_id: str | None
    users: int
    context_tokens: int


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """Host memory of one llama.cpp server, term by term."""

    weights_bytes: int
    kv_cache_bytes: int
    compute_bytes: int
    reserve_bytes: int
    available_bytes: int

    @property
    def needed_bytes(self) -> int:
        return self.weights_bytes + self.kv_cache_bytes + self.compute_bytes + self.reserve_bytes


@dataclass(frozen=True, slots=True)
class Rejected:
    """A candidate that lost: `rule` is memory, disk or context; the unit is bytes, tokens for context."""

    model_id: str
    format: str
    rule: str
    needed: int
    available: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The contract between commands: the choice, its memory, and every candidate that lost."""

    model_id: str
    format: str
    weights_repo: str
    weights_bytes: int
    engine: str
    device: str
    users: int
    context_tokens: int
    engine_arguments: tuple[str, ...]
    memory: MemoryBudget
    disk_path: str
    warnings: tuple[str, ...]
    rejected: tuple[Rejected, ...]
