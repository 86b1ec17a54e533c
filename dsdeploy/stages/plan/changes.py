"""The smallest change of one thing that would admit a better model: what to buy, or what to ask less of."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from dsdeploy.core.plan import Change
from dsdeploy.stages.plan.candidates import Offer, shapes
from dsdeploy.stages.plan.case import Fit
from dsdeploy.stages.plan.judge import judge, refused_outright
from dsdeploy.stages.plan.load import Load
from dsdeploy.stages.plan.pools import Pool

_DEVICES = (2, 4, 8)  # as servers are sold
_NODES = (2, 3, 4, 6, 8)
_CONTEXT_STEP = 1024
_LEAST_CONTEXT = 4096


def changes_for(offer: Offer, pool: Pool, load: Load, engines: tuple[tuple[str, str], ...]) -> Iterator[Change]:
    """At most one of asking less (shorter context, then fewer users), and one of having more (devices, then nodes)."""

    def fits(pool: Pool, load: Load) -> bool:
        return any(
            isinstance(judge(offer, engine, version, shape, pool, load), Fit)
            for engine, version in engines
            if refused_outright(offer, engine, pool, load) is None
            for shape in shapes(offer.architecture, engine, pool)
        )

    def change(kind: str, before: int, after: int) -> Change:
        score = offer.quality.score if offer.quality else None
        return Change(offer.variant.model_id, offer.variant.format, kind, before, after, score)

    if tokens := _most(
        _LEAST_CONTEXT // _CONTEXT_STEP,
        load.longest_tokens // _CONTEXT_STEP - 1,
        lambda steps: fits(pool, _shorter(load, steps * _CONTEXT_STEP)),
    ):
        yield change("context", load.longest_tokens, tokens * _CONTEXT_STEP)
    elif users := _most(1, load.users - 1, lambda number: fits(pool, replace(load, users=number))):
        yield change("users", load.users, users)
    for count in (number for number in _DEVICES if pool.nodes == 1 and number > pool.devices):
        if fits(replace(pool, devices=count), load):
            yield change("devices", pool.devices, count)
            return
    for count in (number for number in _NODES if number > pool.nodes):
        if fits(replace(pool, nodes=count, rdma=True), load):
            yield change("nodes", pool.nodes, count)
            return


def _shorter(load: Load, tokens: int) -> Load:
    output = min(load.output_tokens, tokens // 2)
    prompt = min(load.prompt_tokens, tokens - output)
    held = tokens if load.held_tokens == load.longest_tokens else min(load.held_tokens, prompt + output)
    return replace(load, longest_tokens=tokens, held_tokens=held, prompt_tokens=prompt, output_tokens=output)


def _most(least: int, most: int, holds: Callable[[int], bool]) -> int:
    """The greatest number in least..most for which it holds, 0 for none; what holds for one holds for every smaller."""
    if least > most or not holds(least):
        return 0
    while least < most:
        middle = (least + most + 1) // 2
        if holds(middle):
            least = middle
        else:
            most = middle - 1
    return least
