"""The vendors whose tools are known, and reading all their answers at once."""

from collections.abc import Mapping
from xml.etree.ElementTree import ParseError

from dsdeploy.adapters.accelerators.amd import AMD
from dsdeploy.adapters.accelerators.ascend import ASCEND
from dsdeploy.adapters.accelerators.base import Reading, Vendor
from dsdeploy.adapters.accelerators.hygon import HYGON
from dsdeploy.adapters.accelerators.intel import INTEL
from dsdeploy.adapters.accelerators.nvidia import NVIDIA
from dsdeploy.adapters.accelerators.tables import CAMBRICON, GAUDI, ILUVATAR, KUNLUNXIN, METAX, MTHREADS, THEAD
from dsdeploy.core.machines import ToolFault

VENDORS: tuple[Vendor, ...] = (
    NVIDIA,
    AMD,
    ASCEND,
    HYGON,
    METAX,
    MTHREADS,
    CAMBRICON,
    ILUVATAR,
    KUNLUNXIN,
    INTEL,
    THEAD,
    GAUDI,
)
_SAID_CHARACTERS = 300


def read_vendors(answers: Mapping[str, tuple[str, int]]) -> tuple[tuple[Reading, ...], tuple[ToolFault, ...]]:
    """Readings, and tools that are there and gave none.

    A tool that two vendors name alike (xpu-smi) is at fault where neither knows its answer. `answers` maps
    "vendor.command" to words and exit code.
    """
    readings, faults, heard = [], [], set()
    for vendor in VENDORS:
        said = {
            name: answers[f"{vendor.name}.{name}"] for name in vendor.commands if f"{vendor.name}.{name}" in answers
        }
        leading = [name for name in (next(iter(vendor.commands)), *vendor.instead) if name in said]
        if not leading:
            continue
        lead = next((name for name in leading if said[name][1] == 0), leading[0])
        words, code = said[lead]
        tool = vendor.commands[lead][0]
        try:
            if code == 0:
                readings.append(vendor.read({name: words for name, (words, code) in said.items() if code == 0}))
                heard.add(tool)
                continue
            fault = words
        except (ValueError, LookupError, ParseError, TypeError, AttributeError) as error:
            fault = f"{type(error).__name__}: {error}"
        faults.append(ToolFault(tool, code, fault.strip()[-_SAID_CHARACTERS:]))
    return tuple(readings), tuple({one.tool: one for one in faults if one.tool not in heard}.values())
