"""The library's own device type stands in for a device, which this machine lacks; sizes in MiB as it documents."""

from gpustack_runtime import detector

from dsdeploy.adapters.accelerators import detect_accelerators
from dsdeploy.core.values import Accelerator


def test_a_device_keeps_its_name_and_its_sizes_become_bytes(monkeypatch):
    device = detector.Device(
        manufacturer=detector.ManufacturerEnum.NVIDIA, index=1, name="NVIDIA L40S", memory=46068, memory_used=0,
        driver_version="570.124.06", runtime_version="12.8",
    )  # fmt: skip
    monkeypatch.setattr(detector, "detect_devices", lambda **_: [device])
    assert detect_accelerators() == (Accelerator("nvidia", "NVIDIA L40S", 1, 46068 * 2**20, 0, "570.124.06", "12.8"),)
