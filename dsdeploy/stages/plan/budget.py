"""What a sum of money buys: servers of every accelerator whose price is known."""

from collections.abc import Iterator

from dsdeploy.core.accelerators import AcceleratorSpec, find_accelerator
from dsdeploy.core.cost.own import CPU, outlay
from dsdeploy.core.cost.values import Prices, Service
from dsdeploy.core.errors import InvalidRequest
from dsdeploy.core.texts import text
from dsdeploy.stages.plan.pools import Pool, Pools, pool_to_buy

_SERVER = 8  # accelerators, as servers are sold; where not even one is affordable, fewer
_SMALLER = (4, 2, 1)
_MOST_NODES = 64  # more than any replica of these models needs
_EXPORTERS = ("nvidia", "amd", "intel")


def pools_within(budget: float, prices: Prices, region: str, accelerator: str | None, host_bytes: int | None) -> Pools:
    """In the region's currency, at the expected prices. In China without what export rules keep out, unless it is
    named. Raises UnknownAccelerator, InvalidRequest."""
    named = find_accelerator(accelerator).id if accelerator else None
    priced = [id for id, one in prices.accelerators.items() if one.purchase and id != CPU and named in (None, id)]
    offered = [id for id in priced if named or region != "cn" or _reaches_china(find_accelerator(id))]
    if not offered:
        raise InvalidRequest(
            text("plan-budget-unpriced", name=named or "-"), hint=text("plan-budget-unpriced-hint", id=named or "ID")
        )
    pools = [pool for id in offered for pool in _affordable(id, budget, prices, region, host_bytes)]
    if not pools:
        least = min(_price(id, count, prices, region) for id in offered for count in _sizes(id, prices))
        words = {"budget": f"{budget:,.0f}", "least": f"{least:,.0f}", "currency": prices.regions[region].currency}
        raise InvalidRequest(text("plan-budget-small", **words), hint=text("plan-budget-small-hint"))
    return Pools(tuple(sorted(pools, key=lambda one: one.device_bytes * one.devices * one.nodes, reverse=True)))


def _reaches_china(spec: AcceleratorSpec) -> bool:
    return spec.export_limited or spec.vendor not in _EXPORTERS


def _affordable(id: str, budget: float, prices: Prices, region: str, host_bytes: int | None) -> Iterator[Pool]:
    for count in _sizes(id, prices):
        if nodes := int(budget // _price(id, count, prices, region)):
            yield pool_to_buy(id, count, min(nodes, _MOST_NODES if count == _SERVER else 1), None, host_bytes)
            return


def _sizes(id: str, prices: Prices) -> tuple[int, ...]:
    """What is sold as a whole server is not sold in parts."""
    return (_SERVER,) if prices.accelerators[id].purchase_devices > 1 else (_SERVER, *_SMALLER)


def _price(id: str, count: int, prices: Prices, region: str) -> float:
    bought = outlay(Service(id, count, 1, None, 0, 0, 0, 0, region=region), prices)
    assert bought is not None
    return bought.expected
