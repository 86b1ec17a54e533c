"""What is known of each accelerator: data with sources, found by catalogue name or as a vendor's tool prints it."""

import json
import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from dsdeploy.core.engines import engines, find_engine
from dsdeploy.core.errors import UnknownAccelerator
from dsdeploy.core.texts import text

_MIB, _GIB = 1 << 20, 1 << 30
_REPORTED = 0.985  # of the nominal size, where no tool's figure is known: A100, H100 and L40S report 0.94 to 1.0
_OFFERED = 0.99  # of what tools report, where it is not known what a program gets: 0.983 to 0.996 on five cards
# Line rate per lane in transfers per second and the share of it that is data: PCI Express Base Specification.
_PCIE = {3: (8e9, 128 / 130), 4: (16e9, 128 / 130), 5: (32e9, 128 / 130), 6: (64e9, 242 / 256)}
# Words that vendors' tools and benchmark tables put around a product's name without changing which product it is.
_AROUND = (
    "a single gpu npu card nvidia geforce tesla amd instinct radeon huawei intel habana hygon moore threads metax"
    " cambricon kunlunxin iluvatar corex"
)
_NOISE = frozenset(_AROUND.split())


@dataclass(frozen=True, slots=True)
class AcceleratorSpec:
    """One device, as engines count devices: of a card with two chips or dies, one.

    `memory_reported_bytes` is what the vendor's tool reports as total, `memory_usable_bytes` what the driver tells a
    program that it has (lower again). `dense_tflops` maps a number type (bf16, fp16, fp8, int8, fp4) to dense TFLOP/s
    (TOP/s for int8); a type that the chip lacks, or whose figure is unknown, is absent. `link` names what joins the
    devices of a node ("PCIe" where there is nothing better), `link_bytes_per_s` is one device's total over it to its
    peers in one direction, `link_devices` how many it joins. `formats` are the weight formats that some engine really
    runs on it. `sources` says where each figure is from.
    """

    id: str
    name: str
    vendor: str
    aliases: tuple[str, ...]
    architecture: str | None
    memory_nominal_bytes: int
    memory_reported_bytes: int | None
    memory_bytes_per_s: float | None
    dense_tflops: dict[str, float]
    link: str | None
    link_bytes_per_s: float | None
    pcie_bytes_per_s: float | None
    formats: tuple[str, ...]
    sources: tuple[str, ...]
    link_devices: int | None = None
    power_w: int | None = None
    export_limited: bool = False
    note: str | None = None
    memory_usable_bytes: int | None = None


@cache
def accelerators() -> tuple[AcceleratorSpec, ...]:
    """Every accelerator of the catalogue, in its own order."""
    content = json.loads((Path(__file__).parent / "data" / "accelerators.json").read_text(encoding="utf-8"))
    return tuple(_spec(entry, content["sources"]) for entry in content["accelerators"])


def find_accelerator(name: str) -> AcceleratorSpec:
    """The accelerator with this catalogue name, or a name that a vendor's tool prints for it.

    Case, spaces, dashes and vendor words do not matter, nor a size that agrees ("L40 48GB"). Raises UnknownAccelerator,
    which offers the nearest names.
    """
    by_key = _by_key()
    bare = re.sub(r"\(.*?\)", " ", name)
    for wanted in (name, bare):
        if found := by_key.get(_key(wanted)):
            return found
    size = re.search(r"(\d+) ?gi?b?\b", bare.lower())
    if size:
        found = by_key.get(_key(bare.replace(bare[slice(*size.span())], " ")))
        if found and found.memory_nominal_bytes == int(size[1]) * _GIB:
            return found
    near = _nearest(_key(bare))
    hint = text("unknown-accelerator-near", near=", ".join(near)) if near else text("unknown-accelerator-list")
    raise UnknownAccelerator(text("unknown-accelerator", name=name), hint=hint)


def product_name(id: str) -> str:
    """What people call the accelerator with this catalogue id; the id where the catalogue has none (as "cpu")."""
    try:
        return find_accelerator(id).name
    except UnknownAccelerator:
        return id.upper() if id == "cpu" else id


def offered_bytes(spec: AcceleratorSpec, reported: float | None = None) -> float:
    """What the driver offers a program on one device: as known, else a share of what its tool reports."""
    if reported is None and spec.memory_usable_bytes:
        return float(spec.memory_usable_bytes)
    if reported is not None and spec.memory_usable_bytes and spec.memory_reported_bytes == reported:
        return float(spec.memory_usable_bytes)
    return (reported or spec.memory_reported_bytes or spec.memory_nominal_bytes * _REPORTED) * _OFFERED


def slice_of(spec: AcceleratorSpec, profile: str, memory_bytes: int) -> AcceleratorSpec:
    """One MIG instance of it: of seven compute slices those that `profile` (as 2g.20gb) names, of eight memory slices
    those that its memory takes, and no link. Compute is unknown without a profile.

    Source: NVIDIA MIG user guide, the table of profiles with "fraction of memory" and "fraction of SMs".
    """
    compute = re.match(r"(\d)g\.", profile)
    share = min(8, max(1, round(8 * memory_bytes / (spec.memory_reported_bytes or spec.memory_nominal_bytes)))) / 8
    return replace(
        spec,
        memory_nominal_bytes=memory_bytes,
        memory_reported_bytes=memory_bytes,
        memory_usable_bytes=None,
        memory_bytes_per_s=_times(spec.memory_bytes_per_s, share),
        dense_tflops={type: rate * int(compute[1]) / 7 for type, rate in spec.dense_tflops.items()} if compute else {},
        link=None,
        link_bytes_per_s=None,
        link_devices=None,
    )


def names_of(spec: AcceleratorSpec) -> tuple[str, ...]:
    return (spec.id, spec.name, *spec.aliases)


def formats_run(spec: AcceleratorSpec, engine: str) -> tuple[str, ...]:
    """The weight formats that this engine runs on this accelerator, by its documents. Raises UnknownEngine."""
    return find_engine(engine).runs.get(_target(spec.architecture), ())


def _nearest(wanted: str) -> tuple[str, ...]:
    by_key = _by_key()
    inside = [key for key in by_key if len(wanted) > 2 and wanted in key]
    near = [*inside, *get_close_matches(wanted, by_key, n=3, cutoff=0.6)]
    return tuple(dict.fromkeys(by_key[key].id for key in near))[:4]


@cache
def _by_key() -> dict[str, AcceleratorSpec]:
    return {_key(name): spec for spec in accelerators() for name in names_of(spec)}


def _key(name: str) -> str:
    """The letters and digits that tell products apart: "NVIDIA GeForce RTX 4090" and "rtx4090" are one."""
    return "".join(word for word in re.findall(r"[a-z0-9]+", name.lower()) if word not in _NOISE)


def _target(architecture: str | None) -> str:
    """What kernels are compiled for: the last word of "hopper sm90"."""
    return (architecture or "").rpartition(" ")[2]


def _spec(entry: dict[str, Any], sources: dict[str, str]) -> AcceleratorSpec:
    pcie, link, used = _pcie_bytes_per_s(entry["pcie"]), entry["link"] or {}, entry["sources"]
    target = _target(entry["architecture"])
    return AcceleratorSpec(
        id=entry["id"],
        name=entry["name"],
        vendor=entry["vendor"],
        aliases=tuple(entry["aliases"]),
        architecture=entry["architecture"],
        memory_nominal_bytes=entry["memory_gib"] * _GIB,
        memory_reported_bytes=_times(entry["memory_reported_mib"], _MIB),
        memory_bytes_per_s=_times(entry["memory_gb_per_s"], 1e9),
        dense_tflops=entry["dense_tflops"],
        link=link.get("name"),
        link_bytes_per_s=pcie if link.get("name") == "PCIe" else _times(link.get("gb_per_s_both_ways"), 1e9 / 2),
        pcie_bytes_per_s=pcie,
        formats=tuple(dict.fromkeys(format for engine in engines() for format in engine.runs.get(target, ()))),
        sources=tuple(f"{', '.join(_about(used, id))}: {sources[id]}" for id in dict.fromkeys(used.values())),
        link_devices=link.get("devices"),
        power_w=entry["power_w"],
        export_limited=entry["export_limited"],
        note=entry["note"],
        memory_usable_bytes=_bytes(entry["memory_usable_gib"]),
    )


def _about(used: dict[str, str], source: str) -> list[str]:
    return [figure for figure, id in used.items() if id == source]


def _times(number: Any, unit: Any) -> Any:
    return None if number is None else number * unit


def _bytes(gib: float | None) -> int | None:
    return None if gib is None else round(gib * _GIB)


def _pcie_bytes_per_s(slot: dict[str, int] | None) -> float | None:
    """One direction of the slot, in bytes per second, after line coding."""
    if slot is None:
        return None
    transfers_per_s, data = _PCIE[slot["generation"]]
    return transfers_per_s * data * slot["lanes"] / 8
