"""Huawei Ascend, by npu-smi. Of a card with two chips each is a device, as engines count them.

A device's number is that of its node /dev/davinciN: the physical id, which newer tables tell, else its place in the
table.
"""

import re

from dsdeploy.adapters.accelerators.base import MIB, Reading, Said, Vendor
from dsdeploy.adapters.accelerators.topology import read_matrix
from dsdeploy.core.machines import Accelerator, Health, Occupant

_CARD = re.compile(r"\| (\d+) +(\S+) +\| (\S+) +\| (\S+) +(\S+) +\d+ +/ \d+ +\|")
_CHIP = re.compile(r"\| (\d+)(?: +(\d+))? +\| ([0-9A-Fa-f:.]+) +\| \S+ +(\d+) +/ (\d+)(?: +(\d+) +/ (\d+))? +\|")
_PROCESS = re.compile(r"\| (\d+) +(\d+) +\| (\d+) +\| (.*?) +\| (\d+) +\|")
_VERSION = re.compile(r"Version: (\S+)")


def read(said: Said) -> Reading:
    """Raises ValueError where there is no device. The version in npu-smi's head is the driver's."""
    table, _, processes = said["table"].partition("Process")
    version = _VERSION.search(table)
    held = [_PROCESS.search(line) for line in processes.splitlines()]
    devices: list[Accelerator] = []
    card: re.Match[str] | None = None
    for line in table.splitlines():
        if found := _CARD.search(line):
            card = found
        elif card and (chip := _CHIP.search(line)):
            used, total = (chip[6], chip[7]) if chip[7] and chip[7] != "0" else (chip[4], chip[5])
            occupants = tuple(
                Occupant(int(one[3]), one[4], int(one[5]) * MIB)
                for one in held
                if one and (one[1], one[2]) == (card[1], chip[1])
            )
            devices.append(
                Accelerator(
                    vendor="ascend",
                    name=card[2],
                    index=int(chip[2]) if chip[2] else len(devices),
                    memory_bytes=int(total) * MIB,
                    memory_used_bytes=int(used) * MIB,
                    driver_version=version[1] if version else None,
                    runtime_version=None,
                    pci_address=chip[3],
                    health=Health(
                        state=card[3], temperature_c=int(card[5]) if card[5].isdigit() else None, occupants=occupants
                    ),
                )
            )
    if not devices:
        raise ValueError("npu-smi lists no device")
    return Reading(tuple(devices), read_matrix(said.get("topology", ""), "NPU"))


ASCEND = Vendor("ascend", {"table": ("npu-smi", "info"), "topology": ("npu-smi", "info", "-t", "topo")}, read)
