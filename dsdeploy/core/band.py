"""A predicted quantity that says how sure it is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Band:
    """What to expect, with the pessimistic (low) and optimistic (high) end in the sense of the quantity itself."""

    low: float
    expected: float
    high: float
