"""A plan's service, as a cost asks for it."""

from dataclasses import replace
from math import ceil

from dsdeploy.core.band import Band
from dsdeploy.core.cost.predict import predict_cost, requests_per_month
from dsdeploy.core.cost.values import Prices, Service
from dsdeploy.core.errors import UnknownAccelerator
from dsdeploy.core.plan import Alternative, Plan, PlannedCost
from dsdeploy.core.workloads import find_workload

_PROMPT_TOKENS, _OUTPUT_TOKENS = 1024, 512  # as the speed is predicted where nothing is said of them


def service_of(plan: Plan, prices: Prices, *, rented: bool = False, region: str = "cn", months: int = 36) -> Service:
    """Without a workload, the requests are those that keep the planned users busy in the month's peak hours."""
    request, deployment = plan.request, plan.deployment
    load = find_workload(request.workload) if request.workload else None
    longest = request.context_tokens
    output = min(request.output_tokens or (load.output_tokens.mean if load else _OUTPUT_TOKENS), max(1, longest - 1))
    prompt = request.prompt_tokens or (load.prompt_tokens.mean if load else _PROMPT_TOKENS)
    prompt = min(prompt, max(1, longest - output))
    speed = plan.speed.output_tokens_per_s if plan.speed else None
    if load:
        requests = requests_per_month(request.users, load.requests_per_user_per_hour, prices)
    else:
        busy_s = prices.peak_hours_per_month.expected * 3600
        requests = speed.expected * busy_s / output if speed else 0.0
    return Service(
        accelerator=deployment.accelerator,
        devices=max(1, deployment.cards),
        nodes=deployment.nodes * deployment.replicas,
        output_tokens_per_s=speed,
        prompt_tokens=prompt,
        output_tokens=output,
        cache_share=load.prefix_share if load else 0.0,
        requests_per_month=requests,
        rented=rented,
        region=region,
        months=months,
    )


def planned_cost(plan: Plan, prices: Prices, *, rented: bool = False, region: str = "cn") -> PlannedCost | None:
    """None for an accelerator that nobody knows. Raises InvalidRequest for a region without prices."""
    try:
        found = predict_cost(service_of(plan, prices, rented=rented, region=region), prices)
    except UnknownAccelerator:
        return None
    return PlannedCost(
        currency=found.currency,
        region=region,
        rented=rented,
        outlay=_rounded(found.outlay, 0),
        per_month=_rounded(found.per_month, 0),
        per_million_output_tokens=_rounded(found.per_million_output_tokens, 2),
        per_million_at_capacity=_rounded(found.per_million_at_capacity, 2),
        missing=tuple(str(one.values["key"]) for one in found.missing),
    )


def _rounded(band: Band | None, digits: int) -> Band | None:
    return None if band is None else Band(*(round(one, digits) for one in (band.low, band.expected, band.high)))


def service_of_alternative(other: Alternative, plan: Plan, chosen: Service) -> Service:
    """The same requests on a candidate that ranked lower; as many devices a node as the plan has."""
    speed = other.output_tokens_per_s
    return replace(
        chosen,
        accelerator=other.accelerator,
        devices=max(1, other.devices),
        nodes=max(1, ceil(other.devices / max(1, plan.deployment.devices_per_node))),
        output_tokens_per_s=None if speed is None else Band(speed, speed, speed),
    )
