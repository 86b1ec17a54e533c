"""Percentiles of few measurements."""

from collections.abc import Iterable
from math import ceil


def percentile(values: Iterable[float], percent: float) -> float:
    """By nearest rank: always one of the values. Raises ValueError when there are none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    return ordered[max(0, ceil(percent / 100 * len(ordered)) - 1)]
