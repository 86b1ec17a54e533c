"""NVIDIA, by nvidia-smi."""

import re
from dataclasses import replace
from xml.etree import ElementTree

from dsdeploy.adapters.accelerators.base import MIB, Reading, Said, Vendor
from dsdeploy.adapters.accelerators.topology import read_matrix, read_pairs
from dsdeploy.core.machines import Accelerator, Health, Occupant, Slice

# The legend that nvidia-smi topo -p2p prints (https://github.com/LLMServe/DistServe/issues/35): chipset, GPU or
# topology not supported, not supported; U is unknown. DR (disabled by a registry key) is in NVML's list of the same.
_PEER = {"OK": True, "CNS": False, "GNS": False, "TNS": False, "NS": False, "DR": False}
_BENIGN = ("gpu_idle", "applications_clocks_setting", "display_clocks_setting", "sync_boost")


def read(said: Said) -> Reading:
    words = said["query"]
    if "<!ENTITY" in words:
        raise ValueError("nvidia-smi never defines entities")
    log = ElementTree.fromstring(words[words.index("<") :])
    driver, runtime = log.findtext("driver_version"), log.findtext("cuda_version")
    named = _slice_names(said.get("list", ""))
    devices = tuple(
        _device(index, gpu, driver, runtime, named.get(index, ())) for index, gpu in enumerate(log.iter("gpu"))
    )
    peers = read_pairs(said.get("peers", ""), "GPU")
    links = (
        replace(link, peer=_PEER.get(peers.get((link.first, link.second), "")))
        for link in read_matrix(said.get("topology", ""), "GPU")
    )
    return Reading(devices, tuple(links))


def _slice_names(listed: str) -> dict[int, tuple[str, ...]]:
    """Each device's MIG profiles: the query tells their memory and not their names."""
    named: dict[int, tuple[str, ...]] = {}
    device = 0
    for line in listed.splitlines():
        if found := re.match(r"GPU (\d+):", line):
            device = int(found[1])
        elif found := re.match(r"\s+MIG (\S+)\s+Device", line):
            named[device] = (*named.get(device, ()), found[1])
    return named


def _device(
    index: int, gpu: ElementTree.Element, driver: str | None, runtime: str | None, slices: tuple[str, ...]
) -> Accelerator:
    return Accelerator(
        vendor="nvidia",
        name=gpu.findtext("product_name", ""),
        index=index,
        memory_bytes=_mib(gpu, "fb_memory_usage/total"),
        memory_used_bytes=_mib(gpu, "fb_memory_usage/used"),
        driver_version=driver,
        runtime_version=runtime,
        uuid=_known(gpu.findtext("uuid")),
        pci_address=gpu.get("id"),
        slices=_slices(gpu, slices),
        health=_health(gpu),
    )


def _health(gpu: ElementTree.Element) -> Health:
    occupants = tuple(
        Occupant(_number(one.findtext("pid")), _known(one.findtext("process_name")), _mib(one, "used_memory"))
        for one in gpu.findall("processes/process_info")
    )
    return Health(
        ecc_enabled=_switch(gpu.findtext("ecc_mode/current_ecc")),
        ecc_corrected=_errors(gpu, "single_bit", "correctable"),
        ecc_uncorrected=_errors(gpu, "double_bit", "uncorrectable"),
        repair_pending=_either(gpu, "retired_pages/pending_retirement", "remapped_rows/remapped_row_pending"),
        repair_failed=_either(gpu, "remapped_rows/remapped_row_failure"),
        throttling=_throttling(gpu),
        persistence=_switch(gpu.findtext("persistence_mode")),
        fabric=_known(gpu.findtext("fabric/state")),
        temperature_c=_number(gpu.findtext("temperature/gpu_temp")),
        power_limit_w=_number(
            gpu.findtext("gpu_power_readings/current_power_limit")
            or gpu.findtext("gpu_power_readings/power_limit")
            or gpu.findtext("power_readings/power_limit")
        ),
        occupants=occupants if gpu.find("processes") is not None else None,
    )


def _slices(gpu: ElementTree.Element, names: tuple[str, ...]) -> tuple[Slice, ...] | None:
    if not _switch(gpu.findtext("mig_mode/current_mig")):
        return None
    found = gpu.findall("mig_devices/mig_device")
    names = names if len(names) == len(found) else ("",) * len(found)
    return tuple(Slice(name, _mib(one, "fb_memory_usage/total")) for name, one in zip(names, found, strict=True))


def _throttling(gpu: ElementTree.Element) -> tuple[str, ...] | None:
    """Newer drivers say event where older ones said throttle."""
    for word in ("event", "throttle"):
        reasons = gpu.find(f"clocks_{word}_reasons")
        if reasons is not None:
            active = (one.tag.partition("reason_")[2] for one in reasons if (one.text or "").strip() == "Active")
            return tuple(name for name in active if name not in _BENIGN)
    return None


def _errors(gpu: ElementTree.Element, old: str, new: str) -> int | None:
    """Volatile errors: one total until Ampere, one count for each kind of memory since."""
    volatile = gpu.find("ecc_errors/volatile")
    if volatile is None:
        return None
    if (total := _number(volatile.findtext(f"{old}/total"))) is not None:
        return total
    counts = [_number(one.text) for one in volatile if re.fullmatch(rf"[a-z]+_{new}(_[a-z]+)?", one.tag)]
    known = [one for one in counts if one is not None]
    return sum(known) if known else None


def _either(gpu: ElementTree.Element, *places: str) -> bool | None:
    said = [word for place in places if (word := _known(gpu.findtext(place)))]
    return any(word in ("Yes", "Pending") for word in said) if said else None


def _mib(element: ElementTree.Element, place: str) -> int | None:
    number = _number(element.findtext(place))
    return None if number is None else number * MIB


def _number(said: str | None) -> int | None:
    found = re.match(r"\d+", said or "")
    return int(found[0]) if found else None


def _known(said: str | None) -> str | None:
    return None if said in (None, "", "N/A", "[N/A]") else said


def _switch(said: str | None) -> bool | None:
    return {"Enabled": True, "Disabled": False}.get(said or "")


NVIDIA = Vendor(
    "nvidia",
    {
        "query": ("nvidia-smi", "-q", "-x"),
        "list": ("nvidia-smi", "-L"),
        "topology": ("nvidia-smi", "topo", "-m"),
        "peers": ("nvidia-smi", "topo", "-p2p", "rw"),
    },
    read,
)
