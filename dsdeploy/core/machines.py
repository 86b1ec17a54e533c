"""What a machine is, as its own tools tell it: frozen, serialisable, units in the names, unknown is None."""

from dataclasses import dataclass, field

from dsdeploy.core.documents import DERIVED
from dsdeploy.core.findings import Finding

UNLIMITED_BYTES = (1 << 64) - 1  # RLIM_INFINITY, https://man7.org/linux/man-pages/man2/getrlimit.2.html


@dataclass(frozen=True, slots=True)
class Occupant:
    """A process that holds memory of a device; what its tool does not tell is None."""

    pid: int | None
    name: str | None
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class Slice:
    """One MIG instance: `profile` as the tool names it (1g.10gb), or "" where it names none."""

    profile: str
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class Health:
    """What a vendor's tool says of one device's state.

    `state` is the tool's own word (OK, Warning, Alarm). ECC counts are since the driver was loaded. `throttling` holds
    the reasons active now in the tool's words, idle left out. `repair_pending` tells of memory rows that wait for a
    reset to be replaced. `fabric` is the NVLink fabric's registration (Completed, In Progress).
    """

    state: str | None = None
    ecc_enabled: bool | None = None
    ecc_corrected: int | None = None
    ecc_uncorrected: int | None = None
    repair_pending: bool | None = None
    repair_failed: bool | None = None
    throttling: tuple[str, ...] | None = None
    persistence: bool | None = None
    fabric: str | None = None
    temperature_c: int | None = None
    power_limit_w: int | None = None
    occupants: tuple[Occupant, ...] | None = None


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One device as its vendor's tool or library describes it.

    `slices` are its MIG instances: empty where MIG is on with none made, None where it is off or unknown.
    `memory_bytes_per_s` is what the site measured, for a product that the catalogue lacks.
    """

    vendor: str
    name: str
    index: int
    memory_bytes: int | None
    memory_used_bytes: int | None
    driver_version: str | None
    runtime_version: str | None
    uuid: str | None = None
    pci_address: str | None = None
    slices: tuple[Slice, ...] | None = None
    health: Health | None = None
    memory_bytes_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """What joins two devices of a machine, by their indexes, `first` < `second`.

    `kind` is the vendor's tool's own word (NV18, PIX, HCCS, XGMI); `medium` is one of direct (a link between devices),
    switch (one PCIe switch), bridge (several PCIe bridges), host (the PCIe host bridge), numa (across host bridges of a
    NUMA node), system (across processors), unknown. `peer` is whether each may read the other's memory.
    """

    first: int
    second: int
    kind: str
    medium: str
    peer: bool | None = None


@dataclass(frozen=True, slots=True)
class ToolFault:
    """A vendor's tool that is there and did not answer: `said` are its last words."""

    tool: str
    exit_code: int | None
    said: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What the system holds back.

    Cgroup limits are those that /sys/fs/cgroup shows at its root, in a container its own; None where there are none.
    `memlock_bytes` is UNLIMITED_BYTES without a limit.
    """

    shm_bytes: int | None = None
    memlock_bytes: int | None = None
    cgroup_memory_bytes: int | None = None
    cgroup_cpus: float | None = None


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
    """One machine: what a plan may count on.

    `nvswitches` counts NVSwitch chips, `fabric_manager` is whether its service runs; `rdma_devices` are their kernel
    names; `clock_ahead_s` is the machine's clock less the asking one's, `clock_error_s` how far that may be off.
    `findings` follow from the rest (core.health) and are never saved.
    """

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
    links: tuple[Link, ...] = ()
    limits: Limits | None = None
    cpu_architecture: str | None = None
    distribution: str | None = None
    nvswitches: int | None = None
    fabric_manager: bool | None = None
    rdma_devices: tuple[str, ...] | None = None
    tool_faults: tuple[ToolFault, ...] = ()
    clock_ahead_s: float | None = None
    clock_error_s: float | None = None
    asked_at: str | None = None
    findings: tuple[Finding, ...] = field(default=(), metadata=DERIVED)
