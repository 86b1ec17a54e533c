"""Which product of the catalogue a device is, and what can be said of one that the catalogue lacks."""

import re
from collections.abc import Callable

from dsdeploy.core.accelerators import AcceleratorSpec, accelerators, find_accelerator
from dsdeploy.core.errors import UnknownAccelerator
from dsdeploy.core.machines import Accelerator

_GIB = 1 << 30
_PCIE_BYTES_PER_S = 15.75e9  # sixteen lanes of PCIe 3.0 in one direction (PCI-SIG), the oldest that is in use

Note = Callable[..., None]


def product_of(name: str, device: Accelerator) -> tuple[AcceleratorSpec, bool]:
    """The catalogue's, or what can be said of a device that it lacks: its memory, and by its measured bandwidth what no
    known device falls below."""
    try:
        return find_accelerator(_full_name(name, device)), True
    except UnknownAccelerator:
        pass
    unknown = AcceleratorSpec(
        id=re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"), name=name, vendor=device.vendor, aliases=(),
        architecture=None, memory_nominal_bytes=device.memory_bytes or 0, memory_reported_bytes=device.memory_bytes,
        memory_bytes_per_s=device.memory_bytes_per_s, dense_tflops=_least_tflops(device.memory_bytes_per_s),
        link="PCIe", link_bytes_per_s=_PCIE_BYTES_PER_S, pcie_bytes_per_s=_PCIE_BYTES_PER_S, formats=(), sources=(),
    )  # fmt: skip
    return unknown, False


def _least_tflops(bytes_per_s: float | None) -> dict[str, float]:
    """As little computing for each byte as any device of the catalogue has."""
    known = (
        one.dense_tflops["bf16"] / one.memory_bytes_per_s
        for one in accelerators()
        if one.memory_bytes_per_s and "bf16" in one.dense_tflops
    )
    return {"bf16": min(known) * bytes_per_s} if bytes_per_s else {}


def _full_name(name: str, device: Accelerator) -> str:
    """Some products share a name and differ in memory: the size makes it whole where the catalogue has both."""
    if device.memory_bytes:
        sized = f"{name} {round(device.memory_bytes / _GIB)}GB"
        try:
            return find_accelerator(sized).id
        except UnknownAccelerator:
            pass
    return name


def note_unknown(spec: AcceleratorSpec, reported: int | None, note: Note) -> None:
    if not reported:
        note("plan-device-unsized", name=spec.name)
    elif spec.memory_bytes_per_s:
        note("plan-device-measured", name=spec.name, rate=f"{spec.memory_bytes_per_s / 1e9:,.0f}")
    else:
        note("plan-unknown-device", name=spec.name)
