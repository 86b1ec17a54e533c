"""Accelerators of this machine, of every vendor that gpustack-runtime knows."""

from dsdeploy.core.values import Accelerator

_MIB = 1024 * 1024


def detect_accelerators() -> tuple[Accelerator, ...]:
    """The devices present, in the order in which their vendor's library lists them; empty when there are none."""
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
