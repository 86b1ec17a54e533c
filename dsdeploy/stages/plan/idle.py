"""What a plan leaves unused: what it could serve, and planning on that alone."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from dsdeploy.core.errors import InvalidRequest
from dsdeploy.core.fleet import Fleet
from dsdeploy.core.plan import Idle, Plan
from dsdeploy.core.texts import text
from dsdeploy.stages.plan.build import alternative
from dsdeploy.stages.plan.case import Fit
from dsdeploy.stages.plan.pools import Pool


def idle_beside(order: tuple[Fit, ...], pools: tuple[Pool, ...]) -> tuple[Idle, ...]:
    """`order` is best first: what the first leaves of its own kind, then other kinds. Nothing to be bought idles."""
    chosen = order[0]
    return tuple(_idle(order, pool, kind) for pool, kind in _left(chosen, pools) if pool.names)


def _left(chosen: Fit, pools: tuple[Pool, ...]) -> Iterator[tuple[Pool, Pool]]:
    """What is left of each kind, and the kind."""
    rest = chosen.pool.names[chosen.machines :]
    yield replace(chosen.pool, names=rest, nodes=len(rest)), chosen.pool
    yield from ((pool, pool) for pool in pools if pool != chosen.pool)


def _idle(order: tuple[Fit, ...], left: Pool, kind: Pool) -> Idle:
    best = next((one for one in order if one.pool == kind and one.machines <= left.nodes), None)
    return Idle(left.spec.id, left.devices, left.names, alternative(best) if best else None)


def left_by(plans: Iterable[Plan], fleet: Fleet) -> Fleet:
    """The fleet without the machines on which these plans stand. Raises InvalidRequest where none of a plan's is in
    it, or none is left."""
    known = {one.name for one in fleet.machines}
    taken: set[str] = set()
    for plan in plans:
        if not known & set(plan.hosts):
            names = ", ".join(plan.hosts[:4]) or "-"
            raise InvalidRequest(text("plan-beside-elsewhere", hosts=names), hint=text("plan-beside-elsewhere-hint"))
        taken |= set(plan.hosts)
    machines = tuple(one for one in fleet.machines if one.name not in taken)
    if not machines:
        raise InvalidRequest(text("plan-beside-full"), hint=text("plan-beside-full-hint"))
    return replace(fleet, machines=machines)
