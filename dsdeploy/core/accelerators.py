"""What is known of each accelerator: data with sources, found by catalogue name or by the name a vendor's tool prints."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AcceleratorSpec:
    """One product. `memory_reported_bytes` is what the vendor's tool reports as total (below the nominal size).

    `dense_tflops` maps a number type (bf16, fp16, fp8, int8, fp4) to dense TFLOP/s (TOP/s for int8); a type that the
    chip lacks is absent. `link_bytes_per_s` is one device's total to its peers in one direction. `formats` are weight formats
    it really runs. `sources` names where each figure is from.
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
