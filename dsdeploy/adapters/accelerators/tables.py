"""The boxed table of nvidia-smi, which several vendors' tools draw in their own hand."""

import re
from collections.abc import Iterator

from dsdeploy.adapters.accelerators.base import MIB, Reading, Said, Vendor
from dsdeploy.adapters.accelerators.topology import read_matrix
from dsdeploy.core.machines import Accelerator, Health

_ADDRESS = re.compile(r"\b([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.\d)\b", re.IGNORECASE)
_MEMORY = re.compile(r"(\d+) ?(?:MiB)? ?[/(] *(\d+) ?MiB")
_DRIVER = re.compile(r"Driver(?: Version)?: *([^\s|]+)|Driver v([^\s|]+)")
_ECC = re.compile(r"\|\s+(\d+) +\|$")


def read_table(
    vendor: str, said: str, name: str, runtime: str | None = None, state: str | None = None, ecc: bool = False
) -> Reading:
    """One device from each row with a PCI address to the next.

    `name` finds the index and the name at a row's start, `runtime` the runtime's version in the head, `state` the word
    for a device's state; `ecc` says that a first row ends with the count of uncorrected errors. Raises ValueError where
    there is no such row.
    """
    driver = _DRIVER.search(said)
    version = re.search(runtime, said) if runtime else None
    devices = []
    for rows in _blocks(said):
        start, address, memory = re.search(name, rows), _ADDRESS.search(rows), _MEMORY.search(rows)
        if not start or not address:
            raise ValueError(f"no device in {rows.splitlines()[0]!r}")
        found = re.search(state, rows) if state else None
        errors = _ECC.search(rows.splitlines()[0].strip()) if ecc else None
        devices.append(
            Accelerator(
                vendor=vendor,
                name=start[2].strip(),
                index=int(start[1]),
                memory_bytes=int(memory[2]) * MIB if memory else None,
                memory_used_bytes=int(memory[1]) * MIB if memory else None,
                driver_version=(driver[1] or driver[2]) if driver else None,
                runtime_version=version[1] if version else None,
                pci_address=address[1],
                health=Health(
                    state=found[1] if found else None,
                    ecc_uncorrected=int(errors[1]) if errors else None,
                    temperature_c=_temperature(rows),
                ),
            )
        )
    if not devices:
        raise ValueError("no device rows")
    return Reading(tuple(devices))


def _blocks(said: str) -> Iterator[str]:
    """The rows of one device: from one with a PCI address to the next, or to the list of processes."""
    block: list[str] = []
    for line in said.partition("Process")[0].splitlines():
        if _ADDRESS.search(line):
            if block:
                yield "\n".join(block)
            block = [line]
        elif block:
            block.append(line)
    if block:
        yield "\n".join(block)


def _temperature(rows: str) -> int | None:
    found = re.search(r"\b(\d+) ?C\b", rows)
    return int(found[1]) if found else None


def _metax(said: Said) -> Reading:
    table = read_table(
        "metax", said["table"], r"\| (\d+) +(.+?) +(?:Off |On )?\|", r"MACA Version: (\S+)", _METAX_STATE
    )
    return Reading(table.accelerators, read_matrix(said.get("topology", ""), "GPU"))


def _cambricon(said: Said) -> Reading:
    return read_table("cambricon", said["table"], r"\| (\d+) +\S+ +(\S+) +v\S+ \|")


def _iluvatar(said: Said) -> Reading:
    return read_table("iluvatar", said["table"], r"\| (\d+) +(.+?) +\|", r"CUDA Version: (\S+)")


def _mthreads(said: Said) -> Reading:
    return read_table("mthreads", said["table"], r"^(\d+) +(.+?) +\|")


def _kunlunxin(said: Said) -> Reading:
    if "XPU-RT" not in said["table"]:
        raise ValueError("another vendor's xpu-smi")
    return read_table("kunlunxin", said["table"], r"\| +(\d+) +(.+?) +N/A +\|", r"XPU-RT Version: (\S+)", ecc=True)


def _thead(said: Said) -> Reading:
    table = read_table("thead", said["table"], r"\| (\d+) +(\S+)", r"HGGC Version: (\d\S*)", ecc=True)
    return Reading(table.accelerators, read_matrix(said.get("topology", ""), "PPU"))


def _gaudi(said: Said) -> Reading:
    """Newer tables count events in the place of memory errors, two of them on machines in good health."""
    return read_table("intel", said["table"], r"\| +(\d+) +(HL-\S+)", ecc="Uncorr. ECC" in said["table"])


_METAX_STATE = r"MiB +\| (\w+) +\|"
METAX = Vendor("metax", {"table": ("mx-smi",), "topology": ("mx-smi", "topo", "-m")}, _metax)
CAMBRICON = Vendor("cambricon", {"table": ("cnmon",)}, _cambricon)
ILUVATAR = Vendor("iluvatar", {"table": ("ixsmi",)}, _iluvatar)
MTHREADS = Vendor("mthreads", {"table": ("mthreads-gmi",)}, _mthreads)
KUNLUNXIN = Vendor("kunlunxin", {"table": ("xpu-smi",)}, _kunlunxin)
THEAD = Vendor("thead", {"table": ("ppu-smi",), "topology": ("ppu-smi", "topo", "-m")}, _thead)
GAUDI = Vendor("gaudi", {"table": ("hl-smi",)}, _gaudi)
