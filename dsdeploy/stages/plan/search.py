"""Every offer on every pool, split every way: those that serve the load, and of each that does not its nearest miss."""

from collections.abc import Iterable
from dataclasses import dataclass

from dsdeploy.core.plan import Rejected, Request
from dsdeploy.stages.plan.candidates import Offer, engines_for, shapes
from dsdeploy.stages.plan.case import Fit
from dsdeploy.stages.plan.judge import closest, judge, refused_outright
from dsdeploy.stages.plan.load import Load
from dsdeploy.stages.plan.pools import Pool


@dataclass(frozen=True, slots=True)
class Found:
    fits: tuple[Fit, ...]
    rejected: tuple[Rejected, ...]


def search(offers: Iterable[Offer], pools: tuple[Pool, ...], load: Load, request: Request) -> Found:
    fits: list[Fit] = []
    rejected: list[Rejected] = []
    for offer in offers:
        verdicts = [one for pool in pools for one in _on(offer, pool, load, request)]
        good = [one for one in verdicts if isinstance(one, Fit)]
        bad = [one for one in verdicts if isinstance(one, Rejected)]
        fits += good
        if bad and not good:
            rejected.append(closest(bad))
    return Found(tuple(fits), tuple(rejected))


def _on(offer: Offer, pool: Pool, load: Load, request: Request) -> Iterable[Fit | Rejected]:
    if request.min_quality is not None and offer.score < request.min_quality:
        variant = offer.variant
        yield Rejected(variant.model_id, variant.format, "quality", request.min_quality, max(0.0, offer.score))
        return
    able = engines_for(offer, request, pool)
    if request.target == "process":
        able = tuple(one for one in able if one[0] == "llama.cpp")
    if not able:
        yield Rejected(offer.variant.model_id, offer.variant.format, "engine", 0, 0)
    for engine, version in able:
        if refused := refused_outright(offer, engine, pool, load):
            yield refused
            continue
        for shape in shapes(offer.architecture, engine, pool):
            yield judge(offer, engine, version, shape, pool, load, request.replicas)
