"""Whether one set of weights, on one engine, split one way, serves a load on a pool; else the first rule it breaks."""

from collections.abc import Iterable

from dsdeploy.core.plan import Rejected
from dsdeploy.core.sizing.speed import SpeedEstimate
from dsdeploy.core.sizing.support import attention_support
from dsdeploy.stages.plan.candidates import Offer, Shape
from dsdeploy.stages.plan.case import VLLM, Case, Fit, support_of
from dsdeploy.stages.plan.load import Load
from dsdeploy.stages.plan.pools import Pool

_STEPS = (None, 8192, 2048)  # vLLM's default, then smaller ones: they cost prefill speed and free memory
_HOPELESS = 0.5  # what has not half of what it needs gains nothing by smaller steps
_JUDGED = (
    *("quality", "engine", "format", "attention", "context", "disk", "devices"),
    *("memory", "kv-cache", "speed", "first-token"),
)


def judge(
    offer: Offer, engine: str, version: str, shape: Shape, pool: Pool, load: Load, most: int | None = None
) -> Fit | Rejected:
    """`most` caps the replicas; None is as many as the pool holds."""
    first: Rejected | None = None
    for step in _STEPS if engine in VLLM else (None,):
        found = Case(offer, engine, version, shape, pool, load, step).judge(_replicas(shape, pool, most))
        if isinstance(found, Fit) or found.rule not in ("memory", "kv-cache"):
            return first or found if isinstance(found, Rejected) else found
        first = first or found
        if first.available < _HOPELESS * first.needed:
            break
    assert first is not None
    return first


def judge_exactly(
    offer: Offer, engine: str, version: str, shape: Shape, pool: Pool, load: Load, replicas: int,
    step: int | None = None,
) -> Fit | Rejected:  # fmt: skip
    """With so many replicas, which this pool must hold, and steps of so many tokens."""
    case = Case(offer, engine, version, shape, pool, load, step)
    return refused_outright(offer, engine, pool, load) or case.exactly(replicas, _replicas(shape, pool, None))


def speed_at(
    offer: Offer, engine: str, version: str, shape: Shape, pool: Pool, load: Load, at_once: int, step: int | None = None
) -> SpeedEstimate | None:
    """One replica's speed when it answers so many at once; None where it cannot be predicted."""
    return Case(offer, engine, version, shape, pool, load, step).speed_at(at_once)


def refused_outright(offer: Offer, engine: str, pool: Pool, load: Load) -> Rejected | None:
    """What no way of splitting changes: the format, the context, the disk."""
    a, variant = offer.architecture, offer.variant

    def no(rule: str, needed: float = 0, available: float = 0) -> Rejected:
        return Rejected(variant.model_id, variant.format, rule, needed, available, engine, "")

    if support_of(offer, engine, pool) == "none":
        return no("format")
    if pool.known and attention_support(pool.spec, a) == "none":
        return no("attention")
    if a.max_position_embeddings and load.longest_tokens > a.max_position_embeddings:
        return no("context", load.longest_tokens, a.max_position_embeddings)
    if pool.disk_bytes is not None and (size := variant.size_bytes) and size > pool.disk_bytes:
        return no("disk", size, pool.disk_bytes)
    return None


def _replicas(shape: Shape, pool: Pool, most: int | None) -> int:
    held = pool.nodes // shape.nodes if shape.nodes > 1 else pool.nodes * (pool.devices // shape.devices)
    return max(1, min(held, most or held))


def closest(rejected: Iterable[Rejected]) -> Rejected:
    """Of refusals the one that missed least: the last rule in the order they are judged, then by share."""

    def nearness(one: Rejected) -> tuple[int, float]:
        small, large = sorted((one.needed, one.available))
        return _JUDGED.index(one.rule), small / large if large else 0.0

    return max(rejected, key=nearness)
