"""Accelerators of this machine: by their vendors' own tools, else by the libraries that gpustack-runtime knows."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dsdeploy.adapters.accelerators.vendors import VENDORS, read_vendors
from dsdeploy.core.machines import Accelerator, Link, ToolFault

_MIB = 1024 * 1024
TOOL_TIMEOUT_S = 30  # nvidia-smi -q of eight devices without persistence mode takes some ten seconds
_TIMED_OUT, _CANNOT_RUN = 124, 126  # as timeout(1) and the shell say it
_PCI_CLASSES = ("0x03", "0x12", "0x0b40")  # display, processing accelerator, co-processor (pci.ids)
_DEVICE_NODES = (
    *("nvidia*", "davinci*", "kfd", "dxg", "dri/renderD*", "mxcd*", "cambricon*", "mthreads*", "iluvatar*", "alixpu*"),
)


@dataclass(frozen=True, slots=True)
class Seen:
    accelerators: tuple[Accelerator, ...] = ()
    links: tuple[Link, ...] = ()
    faults: tuple[ToolFault, ...] = ()


def detect_all() -> Seen:
    """The devices present, in the order in which their vendor lists them; empty when there are none."""
    if not _anything_like_one():
        return Seen()
    readings, faults = read_vendors(_ask_tools())
    devices = tuple(device for reading in readings for device in reading.accelerators)
    links = tuple(link for reading in readings for link in reading.links)
    return Seen(devices or detect_accelerators(), links, faults)


def _ask_tools() -> dict[str, tuple[str, int]]:
    """What every vendor's tool that is installed says, with its exit code; all are asked at once."""
    commands = {
        f"{vendor.name}.{name}": words
        for vendor in VENDORS
        for name, words in vendor.commands.items()
        if shutil.which(words[0])
    }
    with ThreadPoolExecutor() as pool:
        return dict(zip(commands, pool.map(_ask_tool, commands.values()), strict=True))


def _ask_tool(words: tuple[str, ...]) -> tuple[str, int]:
    try:
        run = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"},
            timeout=TOOL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", _TIMED_OUT
    except OSError as error:
        return error.strerror or str(error), _CANNOT_RUN
    return run.stdout.decode(errors="replace"), run.returncode


def count_nvswitches() -> int:
    """NVSwitch chips on the PCI bus: lspci shows "Bridge [0680]: NVIDIA Corporation GH100 [H100 NVSwitch] [10de:22a3]",
    and the same class for an A100's."""
    places = Path("/sys/bus/pci/devices").glob("*/class")
    return sum(
        place.read_text().strip() == "0x068000" and place.with_name("vendor").read_text().strip() == "0x10de"
        for place in places
    )


def detect_accelerators() -> tuple[Accelerator, ...]:
    """The devices by their vendor's library, where no tool told of them."""
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
