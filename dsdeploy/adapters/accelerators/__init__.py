"""Accelerators of this machine, of every vendor that gpustack-runtime knows."""

from pathlib import Path

from dsdeploy.core.values import Accelerator

_MIB = 1024 * 1024
_PCI_CLASSES = ("0x03", "0x12", "0x0b40")  # display, processing accelerator, co-processor (pci.ids)
_DEVICE_NODES = ("nvidia*", "davinci*", "kfd", "dxg", "dri/renderD*", "mxcd*", "cambricon*", "mthreads*", "iluvatar*")


def detect_accelerators() -> tuple[Accelerator, ...]:
    """The devices present, in the order in which their vendor's library lists them; empty when there are none."""
    if not _anything_like_one():
        return ()
    from gpustack_runtime.detector import detect_devices

    return tuple(
        Accelerator(
            vendor=str(device.manufacturer.value),
            name=device.name,
            index=device.index,
            memory_bytes=device.memory * _MIB if device.memory else None,
            memory_used_bytes=device.memory_used * _MIB if device.memory_used is not None else None,
            driver_version=device.driver_version,
            runtime_version=device.runtime_version,
        )
        for device in detect_devices(fast=False)
    )


def _anything_like_one() -> bool:
    """Whether the kernel shows any device that could be one: it answers in a tenth of the libraries' loading time."""
    for place in Path("/sys/bus/pci/devices").glob("*/class"):
        if place.read_text().startswith(_PCI_CLASSES):
            return True
    return any(next(Path("/dev").glob(pattern), None) for pattern in _DEVICE_NODES)
