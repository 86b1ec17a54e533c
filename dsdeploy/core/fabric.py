"""What one machine sees of its way to another: measured by a short stream, not read from a data sheet."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NodePath:
    """From `source` to `target`, by name; None is what could not be measured, `fault` why nothing could.

    `round_trip_s` is the median, `quick_round_trip_s` the quickest tenth: what the network takes, not a busy machine.
    `interface_mtu_bytes` is what the source's own interface carries, `mtu_bytes` the largest packet that arrived
    unbroken, both with IP headers. `link_bits_per_s` is what the slower of both interfaces says of itself.
    """

    source: str
    target: str
    round_trip_s: float | None = None
    quick_round_trip_s: float | None = None
    bits_per_s: float | None = None
    link_bits_per_s: float | None = None
    mtu_bytes: int | None = None
    interface_mtu_bytes: int | None = None
    fault: str | None = None

    @property
    def words(self) -> str:
        return f"{self.source} → {self.target}"
