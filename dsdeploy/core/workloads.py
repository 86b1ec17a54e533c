"""What people do with the service: how often they ask, how long prompts and answers are, and how many ask at once."""

import json
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from math import exp, floor, lgamma, log
from pathlib import Path
from typing import Any

from dsdeploy.core.errors import UnknownWorkload
from dsdeploy.core.texts import text

_NEGLIGIBLE = 1e-18  # a term this small no longer changes a sum near 1 in double precision


@dataclass(frozen=True, slots=True)
class Length:
    """Tokens: the mean, and the 95th percentile."""

    mean: int
    p95: int


@dataclass(frozen=True, slots=True)
class Workload:
    """One use of the service. `title` is by language.

    `output_tokens` include the reasoning, of which there are `reasoning_tokens_mean` (0 where the model should not
    reason). `prefix_share` is the part of the prompt tokens that the prefix cache answers. `first_token_s` and
    `tokens_per_s_per_user` are what a user should get. `needs` are abilities of the model: reasoning, tools.
    `sources` says of each figure where it is from, or that it is our assumption.
    """

    id: str
    title: dict[str, str]
    requests_per_user_per_hour: float
    prompt_tokens: Length
    output_tokens: Length
    reasoning_tokens_mean: int
    prefix_share: float
    first_token_s: float
    tokens_per_s_per_user: float
    language: str
    needs: tuple[str, ...]
    sources: dict[str, str]


@cache
def workloads() -> tuple[Workload, ...]:
    content = json.loads((Path(__file__).parent / "data" / "workloads.json").read_text(encoding="utf-8"))
    return tuple(_workload(entry, content["sources"]) for entry in content["workloads"])


def find_workload(name: str) -> Workload:
    """The preset with this id. Raises UnknownWorkload, which names the nearest."""
    by_id = {one.id: one for one in workloads()}
    wanted = name.strip().lower()
    if found := by_id.get(wanted):
        return found
    inside = [id for id in by_id if wanted and wanted in id]
    near = inside or get_close_matches(wanted, by_id, n=2, cutoff=0.5) or by_id
    raise UnknownWorkload(text("unknown-workload", name=name), hint=text("known-names", names=", ".join(near)))


def concurrency(users: int, requests_per_user_per_hour: float, service_s: float, quantile: float = 0.99) -> int:
    """How many requests are answered at once, with this probability no more; at least 1.

    By Little's law the mean is arrivals per second times `service_s`; independent users arrive as a Poisson process,
    and where none waits the number at once is Poisson too, whatever the answers' lengths (M/G/∞: Takács, Introduction
    to the Theory of Queues, 1962). Raises ValueError for a quantile outside 0..1 and for negative arguments.
    """
    if not 0 < quantile < 1 or min(users, requests_per_user_per_hour, service_s) < 0:
        raise ValueError(f"{users=}, {requests_per_user_per_hour=}, {service_s=}, {quantile=}")
    return max(1, _poisson_quantile(users * requests_per_user_per_hour / 3600 * service_s, quantile))


def _poisson_quantile(mean: float, quantile: float) -> int:
    """The smallest n whose cumulative probability is at least `quantile`.

    Sums from the mode outwards, so that no term underflows and only some tens of standard deviations are visited.
    """
    if mean == 0:
        return 0
    n = floor(mean)
    term = peak = exp(n * log(mean) - mean - lgamma(n + 1))
    reached, below = peak, n
    while below > 0 and term > _NEGLIGIBLE:
        term *= below / mean
        below -= 1
        reached += term
    term = peak
    while reached < quantile and term > _NEGLIGIBLE:
        n += 1
        term *= mean / n
        reached += term
    while n > 0 and reached - term >= quantile:
        reached -= term
        term *= n / mean
        n -= 1
    return n


def _workload(entry: dict[str, Any], sources: dict[str, str]) -> Workload:
    lengths = {name: Length(**entry[name]) for name in ("prompt_tokens", "output_tokens")}
    named = {figure: sources[id] for figure, id in entry["sources"].items()}
    return Workload(**entry | lengths | {"needs": tuple(entry["needs"]), "sources": named})
