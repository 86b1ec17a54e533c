"""How far the break-even volume moves when one input is 30 % lower or higher: a tornado, widest first."""

from collections.abc import Callable
from dataclasses import replace

from dsdeploy.core.cost.api import api_per_request, break_even_tokens, cheapest
from dsdeploy.core.cost.own import own_terms, price_of
from dsdeploy.core.cost.values import AcceleratorPrice, ApiPrice, Prices, Service, Swing, TokenPrices

_LESS, _MORE = 0.7, 1.3
Case = tuple[Service, Prices]


def swings(service: Service, prices: Prices) -> tuple[Swing, ...]:
    """Nothing where the cost itself rests on a missing figure."""
    model = cheapest(service, prices).model
    service = replace(service, api_model=model)
    found = []
    for name, scaled in _INPUTS.items():
        less, more = (_break_even(*scaled(service, prices, factor)) for factor in (_LESS, _MORE))
        if less is not None and more is not None and less != more:
            found.append(Swing(name, less, more))
    return tuple(sorted(found, key=lambda one: -abs(one.at_more - one.at_less)))


def _break_even(service: Service, prices: Prices) -> float | None:
    months = [term.per_month for term in own_terms(service, prices)]
    own = sum(month.expected for month in months if month is not None)
    each = api_per_request(cheapest(service, prices), service, prices)
    return None if None in months else break_even_tokens(own, each, service)


def _figure(name: str) -> Callable[[Service, Prices, float], Case]:
    def scaled(service: Service, prices: Prices, factor: float) -> Case:
        return service, replace(prices, **{name: getattr(prices, name).times(factor)})

    return scaled


def _regional(name: str) -> Callable[[Service, Prices, float], Case]:
    def scaled(service: Service, prices: Prices, factor: float) -> Case:
        region = prices.regions[service.region]
        changed = replace(region, **{name: getattr(region, name).times(factor)})
        return service, replace(prices, regions=prices.regions | {service.region: changed})

    return scaled


def _accelerator(name: str) -> Callable[[Service, Prices, float], Case]:
    def scaled(service: Service, prices: Prices, factor: float) -> Case:
        price = price_of(service, prices)
        figure = getattr(price, name)
        changed: AcceleratorPrice = price if figure is None else replace(price, **{name: figure.times(factor)})
        return service, replace(prices, accelerators=prices.accelerators | {service.accelerator: changed})

    return scaled


def _asked(name: str) -> Callable[[Service, Prices, float], Case]:
    def scaled(service: Service, prices: Prices, factor: float) -> Case:
        most = 1.0 if name == "cache_share" else float("inf")
        return replace(service, **{name: min(most, getattr(service, name) * factor)}), prices

    return scaled


def _api_prices(service: Service, prices: Prices, factor: float) -> Case:
    def scaled(one: ApiPrice) -> ApiPrice:
        by_unit = {
            unit: TokenPrices(each.input_hit * factor, each.input_miss * factor, each.output * factor)
            for unit, each in one.off_peak.items()
        }
        return replace(one, off_peak=by_unit)

    return service, replace(prices, api=tuple(map(scaled, prices.api)))


_INPUTS = {
    "purchase": _accelerator("purchase"),
    "rent": _accelerator("rent_per_hour"),
    "server": _figure("server"),
    "maintenance_share_per_year": _figure("maintenance_share_per_year"),
    "depreciation_years": _figure("depreciation_years"),
    "power_per_kwh": _regional("power_per_kwh"),
    "load_share": _figure("load_share"),
    "floor_per_kw_month": _regional("floor_per_kw_month"),
    "staff": _figure("staff"),
    "api": _api_prices,
    "prompt_tokens": _asked("prompt_tokens"),
    "output_tokens": _asked("output_tokens"),
    "cache_share": _asked("cache_share"),
}
