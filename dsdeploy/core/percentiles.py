"""Percentiles of few measurements, and how sure they are."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, exp, lgamma, log


@dataclass(frozen=True, slots=True)
class Spread:
    """A percentile with its 95 % confidence interval, or the widest that so few values allow."""

    value: float
    low: float
    high: float


def percentile(values: Iterable[float], percent: float) -> float:
    """By nearest rank: always one of the values. Raises ValueError when there are none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    return ordered[max(0, ceil(percent / 100 * len(ordered)) - 1)]


def spread(values: Iterable[float], percent: float, confidence: float = 0.95) -> Spread:
    """Distribution-free: the ranks between which a binomial count of smaller values falls (Conover, Practical
    Nonparametric Statistics, 3rd edition, section 3.2). Raises ValueError when there are no values."""
    ordered = sorted(values)
    value = percentile(ordered, percent)
    count, tail = len(ordered), (1 - confidence) / 2
    below, low = 0.0, 0
    for rank in range(count):
        below += _binomial(rank, count, percent / 100)
        if below <= tail:
            low = rank
        if below >= 1 - tail:
            return Spread(value, ordered[low], ordered[rank])
    return Spread(value, ordered[low], ordered[-1])


def _binomial(hits: int, count: int, share: float) -> float:
    """The probability of `hits` among `count`, each with probability `share`; of many too, hence by logarithms."""
    ways = lgamma(count + 1) - lgamma(hits + 1) - lgamma(count - hits + 1)
    return exp(ways + hits * log(share) + (count - hits) * log(1 - share))
