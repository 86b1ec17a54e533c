"""Hygon DCU, by hy-smi: one line a fact, "HCU[0] : vram Total Memory (MiB): 65520" (older ones say DCU or GPU)."""

import re

from dsdeploy.adapters.accelerators.base import MIB, Reading, Said, Vendor
from dsdeploy.core.machines import Accelerator

_FACT = re.compile(r"^(?:HCU|DCU|GPU)\[(\d+)\]\s*:\s*([^:]+):\s*(.+?)\s*$", re.MULTILINE)
_DRIVER = re.compile(r"Driver Version:\s*(\S+)", re.IGNORECASE)


def read(said: Said) -> Reading:
    facts: dict[int, dict[str, str]] = {}
    for index, key, value in _FACT.findall(said["memory"] + "\n" + said.get("products", "")):
        facts.setdefault(int(index), {})[key.strip().lower()] = value
    if not facts:
        raise ValueError("hy-smi lists no device")
    driver = _DRIVER.search(said.get("driver", ""))
    return Reading(
        tuple(
            Accelerator(
                vendor="hygon",
                name=known.get("card series", ""),
                index=index,
                memory_bytes=_mib(known.get("vram total memory (mib)")),
                memory_used_bytes=_mib(known.get("vram total used memory (mib)")),
                driver_version=driver[1] if driver else None,
                runtime_version=None,
            )
            for index, known in sorted(facts.items())
        )
    )


def _mib(said: str | None) -> int | None:
    return int(said) * MIB if said and said.isdigit() else None


HYGON = Vendor(
    "hygon",
    {
        "memory": ("hy-smi", "--showmeminfo", "vram"),
        "products": ("hy-smi", "--showproductname"),
        "driver": ("hy-smi", "--showdriverversion"),
    },
    read,
)
