"""What is best for an aim, and what nobody beats in everything."""

from collections.abc import Iterable

from dsdeploy.stages.plan.case import Fit

AIMS = ("quality", "latency", "throughput", "cost")
_ALIKE = 2.5  # percentage points: the standard error of GPQA Diamond's 198 questions at 85 %
_BAND = 10.0  # percentage points below the best that fits, within which another aim may decide
_COMFORT_TOKENS_PER_S = 20.0  # what DeepSeek's own service gave each user (DeepSeek-V3/R1 inference system overview)
# Of equals; on Ascend SGLang comes second: no log of it was there to hold its memory against.
_ENGINES = ("vllm", "vllm-ascend", "sglang")
_FEW = 4  # users whom llama.cpp serves well; beyond, engines that schedule many requests come first


def ranked(fits: Iterable[Fit], aim: str, min_quality: float | None) -> tuple[Fit, ...]:
    """Best first.

    For quality: models whose scores do not differ beyond the benchmark's own error count as alike; among them the
    fast enough, the settled, then the better, the newer and the less quantised win, and of the ways to serve the same
    weights the one with fewest devices that is fast enough, of equally fast ones that on fewest nodes. For another
    aim, all whose quality is at least `min_quality`, else near the best's, are compared by it first.
    """
    found = list(fits)
    best = max((one.offer.score for one in found), default=0.0)
    if aim == "quality":
        return tuple(sorted(found, key=lambda one: (_tier(one, best), *_by_comfort(one), *_by_weights(one))))
    floor = min_quality if min_quality is not None else best - _BAND
    key = {"latency": _by_latency, "throughput": _by_throughput, "cost": _by_cost}[aim]
    return tuple(sorted(found, key=lambda one: (one.offer.score < floor, *key(one), *_by_weights(one))))


def pareto(fits: Iterable[Fit]) -> tuple[Fit, ...]:
    """Those that no other beats in quality, speed for one user, speed in all and devices; the first of equals."""
    front: dict[tuple[float, ...], Fit] = {}
    for one in fits:
        front.setdefault(_goods(one), one)
    best: list[tuple[float, ...]] = []
    for goods in sorted(front, reverse=True):
        if not any(_beats(other, goods) for other in best):
            best.append(goods)
    return tuple(one for goods, one in front.items() if goods in set(best))


def _beats(other: tuple[float, ...], goods: tuple[float, ...]) -> bool:
    return all(theirs >= ours for theirs, ours in zip(other, goods, strict=True))


def _goods(one: Fit) -> tuple[float, ...]:
    """Speeds to two digits: closer than any prediction."""
    speeds = one.tokens_per_s_per_user or 0.0, one.output_tokens_per_s or 0.0
    return one.offer.score, *map(_two_digits, speeds), -float(one.deployment.devices)


def _two_digits(speed: float) -> float:
    return float(f"{speed:.2g}")


def _tier(one: Fit, best: float) -> int:
    return int((best - one.offer.score) / _ALIKE)


def _comfortable(one: Fit) -> bool:
    return (one.tokens_per_s_per_user or 0.0) >= _COMFORT_TOKENS_PER_S


def _by_comfort(one: Fit) -> tuple[bool, ...]:
    crowded = one.at_once > _FEW and one.deployment.engine == "llama.cpp"
    return not _comfortable(one), crowded, not one.settled


def _by_weights(one: Fit) -> tuple[object, ...]:
    newest = tuple(-int(part) for part in one.offer.released.split("-") if part.isdigit())
    variant, d, speed = one.offer.variant, one.deployment, one.tokens_per_s_per_user or 0.0
    weights = -one.offer.score, newest, -(variant.size_bytes or 0), variant.model_id, variant.format
    rough = _two_digits(speed)
    engine = _ENGINES.index(d.engine) if d.engine in _ENGINES else len(_ENGINES)
    way = (
        d.expert_layers_in_host,
        d.devices if _comfortable(one) else -rough,
        -rough,
        d.nodes,
        engine,
        d.pipeline_parallel,
        d.data_parallel,
        -speed,
    )
    return *weights, *way, d.engine, one.shape.words, one.pool.spec.id, one.pool.names


def _by_latency(one: Fit) -> tuple[float, ...]:
    return -(one.tokens_per_s_per_user or 0.0), one.first_token_s or float("inf")


def _by_throughput(one: Fit) -> tuple[float, ...]:
    return (-(one.output_tokens_per_s or 0.0),)


def _by_cost(one: Fit) -> tuple[float, ...]:
    """Fewest devices, then least power, then most tokens from them."""
    power = (one.pool.spec.power_w or 0) * one.deployment.devices
    return float(one.deployment.devices), float(power), -(one.output_tokens_per_s or 0.0)
