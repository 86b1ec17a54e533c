"""AMD, by rocm-smi's JSON, else by that of amd-smi, which follows it."""

import json
import re
from typing import Any

from dsdeploy.adapters.accelerators.base import MIB, Reading, Said, Vendor
from dsdeploy.core.machines import Accelerator, Health, Link

_LINK = re.compile(r"\(Topology\) Link type between DRM devices (\d+) and (\d+)")
_MEDIUM = {"XGMI": "direct", "PCIE": "host"}


def read(said: Said) -> Reading:
    return _rocm_smi(json.loads(said["all"])) if "all" in said else _amd_smi(said)


def _amd_smi(said: Said) -> Reading:
    """Links are not read: those of the product count."""
    used = {int(one["gpu"]): one for one in _rows(said.get("metric", "[]"))}
    found = tuple(_by_amd_smi(one, used.get(int(one["gpu"]), {})) for one in _rows(said["static"]))
    if not found:
        raise ValueError("amd-smi lists no gpu")
    return Reading(found)


def _rows(said: str) -> list[dict[str, Any]]:
    """A list, since ROCm 7 inside "gpu_data"; warnings may stand before it."""
    start = re.search(r"^[\[{]", said, re.MULTILINE)
    content = json.loads(said[start.start() :] if start else said)
    rows: list[dict[str, Any]] = content["gpu_data"] if isinstance(content, dict) else content
    return rows


def _by_amd_smi(static: dict[str, Any], metric: dict[str, Any]) -> Accelerator:
    memory, driver = metric.get("mem_usage", {}), static.get("driver", {})
    total = _mib(static.get("vram", {}).get("size")) or _mib(memory.get("total_vram"))
    hotspot = _value(metric.get("temperature", {}).get("hotspot"))
    return Accelerator(
        vendor="amd",
        name=static["asic"]["market_name"],
        index=int(static["gpu"]),
        memory_bytes=total,
        memory_used_bytes=_mib(memory.get("used_vram")),
        driver_version=driver.get("version") or driver.get("driver_version"),
        runtime_version=None,
        pci_address=static.get("bus", {}).get("bdf"),
        health=Health(temperature_c=None if hotspot is None else round(hotspot)),
    )


def _value(said: Any) -> float | None:
    """Numbers come with their unit, alone, or as "N/A"."""
    number = said.get("value") if isinstance(said, dict) else said
    return float(number) if isinstance(number, int | float) else None


def _mib(said: Any) -> int | None:
    """What amd-smi calls MB: 196,592 of an MI300X, which has 192 GiB."""
    number = _value(said)
    return None if number is None else round(number) * MIB


def _rocm_smi(content: dict[str, Any]) -> Reading:
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


AMD = Vendor(
    "amd",
    {
        "all": ("rocm-smi", "-a", "--showmeminfo", "vram", "--showtopo", "--json"),
        "static": ("amd-smi", "static", "--asic", "--bus", "--driver", "--vram", "--json"),
        "metric": ("amd-smi", "metric", "--mem-usage", "--temperature", "--json"),
    },
    read,
    instead=("static",),
)
