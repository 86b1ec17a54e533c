"""The vendors whose tools are known, and reading all their answers at once."""

from collections.abc import Mapping
from xml.etree.ElementTree import ParseError

from dsdeploy.adapters.accelerators.base import Reading, Vendor
from dsdeploy.adapters.accelerators.nvidia import NVIDIA
from dsdeploy.core.machines import ToolFault

VENDORS: tuple[Vendor, ...] = (NVIDIA,)
_SAID_CHARACTERS = 300


def read_vendors(answers: Mapping[str, tuple[str, int]]) -> tuple[tuple[Reading, ...], tuple[ToolFault, ...]]:
    """Readings, and tools that are there and gave none. `answers` maps "vendor.command" to words and exit code."""
    readings, faults = [], []
    for vendor in VENDORS:
        first = f"{vendor.name}.{next(iter(vendor.commands))}"
        said = {
            name: answers[f"{vendor.name}.{name}"] for name in vendor.commands if f"{vendor.name}.{name}" in answers
        }
        if first not in answers:
            continue
        words, code = answers[first]
        tool = vendor.commands[next(iter(vendor.commands))][0]
        try:
            if code == 0:
                readings.append(vendor.read({name: words for name, (words, code) in said.items() if code == 0}))
                continue
            fault = words
        except (ValueError, LookupError, ParseError, TypeError) as error:
            fault = f"{type(error).__name__}: {error}"
        faults.append(ToolFault(tool, code, fault.strip()[-_SAID_CHARACTERS:]))
    return tuple(readings), tuple(faults)
