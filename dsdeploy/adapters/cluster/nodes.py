"""The machine that a Kubernetes node describes: pure. What a node does not tell is unknown."""

import json
from functools import cache
from importlib import resources
from typing import Any

from dsdeploy.core.fleet import Machine, Node, Taint
from dsdeploy.core.machines import Accelerator, ContainerRuntime, Profile, Slice

_MIB = 1 << 20
_UNITS = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}
_MIG = "nvidia.com/mig-"
_KEPT_LABELS = ("gpu", "npu", "cuda", "mig", "accelerator", "dcu", "mlu", "topology.kubernetes.io", "instance-type")


def read_node(node: dict[str, Any]) -> Machine:
    """`node` as the API answers it. Memory and processors are what pods may ask for (allocatable)."""
    status, metadata, spec = node["status"], node["metadata"], node.get("spec") or {}
    info, labels = status["nodeInfo"], metadata.get("labels") or {}
    can = status.get("allocatable") or {}
    memory = int(quantity(can.get("memory", "0")))
    runtime, _, version = info.get("containerRuntimeVersion", "").partition("://")
    return Machine(
        metadata["name"],
        Profile(
            hostname=labels.get("kubernetes.io/hostname", metadata["name"]),
            kernel=f"Linux {info['kernelVersion']}",
            cpu_model=None,
            cpu_threads=int(quantity(can.get("cpu", "0"))),
            cpu_cores=None,
            numa_nodes=None,
            memory_bytes=memory,
            memory_available_bytes=memory,
            disks=(),
            container_runtimes=(ContainerRuntime(runtime, version),) if runtime else (),
            accelerators=_accelerators(can, labels),
            cpu_architecture=info.get("architecture"),
            distribution=info.get("osImage"),
        ),
        Node(
            ready=any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or ()),
            schedulable=not spec.get("unschedulable"),
            taints=tuple(Taint(one["key"], one.get("value"), one["effect"]) for one in spec.get("taints") or ()),
            resources={name: str(amount) for name, amount in can.items() if "/" in name},
            labels={name: value for name, value in labels.items() if any(word in name for word in _KEPT_LABELS)},
        ),
    )


def quantity(said: str) -> float:
    """A Kubernetes quantity ("8", "7910m", "503Gi") as a number."""
    if said.endswith("m"):
        return float(said[:-1]) / 1000
    for unit in sorted(_UNITS, key=len, reverse=True):
        if said.endswith(unit):
            return float(said[: -len(unit)]) * _UNITS[unit]
    return float(said)


def _accelerators(can: dict[str, str], labels: dict[str, str]) -> tuple[Accelerator, ...]:
    """One device for each that pods may ask for; a MIG instance is one of its own."""
    devices: list[Accelerator] = []
    for known in _known():
        count = int(quantity(can.get(known["resource"], "0")))
        # time slicing offers each device several times: GPU Feature Discovery counts the real ones and marks the name
        shared = labels.get(known.get("name", ""), "").endswith("-SHARED")
        if shared and known["vendor"] == "nvidia":
            count = min(count, int(labels.get("nvidia.com/gpu.count", count)))
        memory = _memory(known, labels, count)
        devices += [_device(known, labels, memory, len(devices) + place) for place in range(count)]
    for name, amount in sorted(can.items()):
        if name.startswith(_MIG):
            devices += [_instance(name, labels, len(devices) + place) for place in range(int(quantity(amount)))]
    return tuple(devices)


def _memory(known: dict[str, str], labels: dict[str, str], count: int) -> int | None:
    """One device's, as its vendor's labels tell it: in MiB, in GiB, or in bytes of all together."""
    mib = labels.get(known.get("memory_mib", ""), "")
    gib = labels.get(known.get("memory_gib", ""), "").removesuffix("B").removesuffix("G")
    whole = labels.get(known.get("memory_sum_bytes", ""), "")
    if mib.isdigit():
        return int(mib) * _MIB
    if gib.isdigit():
        return int(gib) * 1024 * _MIB
    return int(whole) // count if whole.isdigit() and count else None


def _device(known: dict[str, str], labels: dict[str, str], memory_bytes: int | None, index: int) -> Accelerator:
    said = labels.get(known.get("name", ""), known["resource"]).removesuffix("-SHARED")
    name, _, profile = said.partition("-MIG-")
    return Accelerator(
        vendor=known["vendor"],
        name=name,
        index=index,
        memory_bytes=memory_bytes,
        memory_used_bytes=None,
        driver_version=labels.get(known.get("driver", "")),
        runtime_version=labels.get(known.get("runtime", "")),
        slices=(Slice(profile, memory_bytes),) if profile else None,
    )


def _instance(resource: str, labels: dict[str, str], index: int) -> Accelerator:
    memory = labels.get(f"{resource}.memory", "")
    memory_bytes = int(memory) * _MIB if memory.isdigit() else None
    return Accelerator(
        vendor="nvidia",
        name=labels.get("nvidia.com/gpu.product", resource),
        index=index,
        memory_bytes=memory_bytes,
        memory_used_bytes=None,
        driver_version=labels.get("nvidia.com/cuda.driver-version.full"),
        runtime_version=labels.get("nvidia.com/cuda.runtime-version.full"),
        slices=(Slice(resource.removeprefix(_MIG), memory_bytes),),
    )


@cache
def _known() -> tuple[dict[str, str], ...]:
    data = resources.files("dsdeploy.core") / "data" / "node_resources.json"
    return tuple(json.loads(data.read_text(encoding="utf-8"))["resources"])
