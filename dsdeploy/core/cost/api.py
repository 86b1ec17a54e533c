"""The same requests on DeepSeek's API, and the volume from which a private service is cheaper."""

from math import ceil

from dsdeploy.core.cost.money import convert
from dsdeploy.core.cost.values import ApiComparison, ApiPrice, Prices, Service

_MILLION = 1e6


def api_per_request(price: ApiPrice, service: Service, prices: Prices) -> float:
    """Money for one mean request, in the region's currency: DeepSeek's own list in it, else converted."""
    base = prices.regions[service.region].currency
    unit = base if base in price.off_peak else next(iter(price.off_peak))
    tokens = price.off_peak[unit]
    hit, miss = service.prompt_tokens * service.cache_share, service.prompt_tokens * (1 - service.cache_share)
    off_peak = (hit * tokens.input_hit + miss * tokens.input_miss + service.output_tokens * tokens.output) / _MILLION
    mean = off_peak * (1 + prices.api_peak_share.expected * (price.peak_factor - 1))
    return convert(mean, unit, base, prices.cny_per_usd.expected)


def break_even_tokens(own_per_month: float, per_request: float, service: Service) -> float | None:
    """Prompt and output tokens per month at which both cost the same: the private service costs the same at any
    volume, the API in proportion to it."""
    if per_request <= 0:
        return None
    return own_per_month / per_request * (service.prompt_tokens + service.output_tokens)


def compare(
    price: ApiPrice, service: Service, prices: Prices, own_per_month: float | None, outlay: float | None
) -> ApiComparison:
    """`own_per_month` holds the write-off of `outlay`; both None where a figure is missing."""
    each = api_per_request(price, service, prices)
    month, output = each * service.requests_per_month, service.output_tokens * service.requests_per_month
    tokens = None if own_per_month is None else break_even_tokens(own_per_month, each, service)
    return ApiComparison(
        model=price.model,
        name=price.name,
        per_month=month,
        per_million_output_tokens=month / output * _MILLION if output else None,
        break_even_tokens_per_month=tokens,
        break_even_month=_payback(month, service, prices, own_per_month, outlay),
        within_capacity=_within_capacity(tokens, service),
        date=price.date,
    )


def cheapest(service: Service, prices: Prices) -> ApiPrice:
    """The model named by the service, else the one that these requests cost least on."""
    offered = [one for one in prices.api if one.offered]
    named = [one for one in prices.api if one.model == service.api_model]
    return min(named or offered, key=lambda one: api_per_request(one, service, prices))


def _payback(
    api_month: float, service: Service, prices: Prices, own_per_month: float | None, outlay: float | None
) -> int | None:
    if own_per_month is None or outlay is None:
        return None
    life_months = prices.depreciation_years.expected * 12
    saved = api_month - (own_per_month - outlay / life_months)
    if saved <= 0 or outlay / saved > life_months:
        return None
    return max(1, ceil(outlay / saved))


def _within_capacity(tokens: float | None, service: Service) -> bool | None:
    if tokens is None or service.output_tokens_per_s is None:
        return None
    share = service.output_tokens / (service.prompt_tokens + service.output_tokens)
    return tokens * share <= service.output_tokens_per_s.expected * service.hours_per_month * 3600
