"""AMD, by rocm-smi's JSON."""

import json
import re
from typing import Any

from dsdeploy.adapters.accelerators.base import Reading, Said, Vendor
from dsdeploy.core.machines import Accelerator, Health, Link

_LINK = re.compile(r"\(Topology\) Link type between DRM devices (\d+) and (\d+)")
_MEDIUM = {"XGMI": "direct", "PCIE": "host"}


def read(said: Said) -> Reading:
    content = json.loads(said["all"])
    system = content.get("system", {})
    cards = sorted((int(name[4:]), card) for name, card in content.items() if re.fullmatch(r"card\d+", name))
    if not cards:
        raise ValueError("rocm-smi lists no card")
    devices = tuple(_device(index, card, system.get("Driver version")) for index, (_, card) in enumerate(cards))
    places = {number: index for index, (number, _) in enumerate(cards)}
    links = tuple(
        Link(first, second, kind, _MEDIUM.get(kind, "unknown"))
        for key, kind in system.items()
        if (pair := _LINK.fullmatch(key))
        for first, second in [sorted((places[int(pair[1])], places[int(pair[2])]))]
    )
    return Reading(devices, links)


def _device(index: int, card: dict[str, Any], driver: str | None) -> Accelerator:
    """Newer releases write the keys' words with capitals."""
    known = {key.lower(): value for key, value in card.items() if value != "N/A"}
    temperature = known.get("temperature (sensor junction) (c)")
    return Accelerator(
        vendor="amd",
        name=known.get("card series") or known.get("device name") or known.get("card model") or "",
        index=index,
        memory_bytes=_number(known.get("vram total memory (b)")),
        memory_used_bytes=_number(known.get("vram total used memory (b)")),
        driver_version=driver,
        runtime_version=None,
        uuid=known.get("unique id"),
        pci_address=known.get("pci bus"),
        health=Health(
            temperature_c=None if temperature is None else round(float(temperature)),
            power_limit_w=_number(known.get("max graphics package power (w)")),
        ),
    )


def _number(said: str | None) -> int | None:
    return None if said is None else int(float(said))


AMD = Vendor("amd", {"all": ("rocm-smi", "-a", "--showmeminfo", "vram", "--showtopo", "--json")}, read)
