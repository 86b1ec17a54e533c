"""The whole cost of one service: terms, totals, the comparison with the API, and what it all rests on."""

from dataclasses import replace
from difflib import get_close_matches

from dsdeploy.core.band import Band
from dsdeploy.core.cost.api import cheapest, compare
from dsdeploy.core.cost.own import outlay, own_terms
from dsdeploy.core.cost.sensitivity import swings
from dsdeploy.core.cost.values import Cost, Prices, Service, Term
from dsdeploy.core.cost.words import assumptions, missing
from dsdeploy.core.errors import InvalidRequest
from dsdeploy.core.texts import Text, text

_MILLION = 1e6


def requests_per_month(users: int, requests_per_user_per_hour: float, prices: Prices) -> float:
    """A month's requests, from the rate in the peak hour and the hours of peak load that a month amounts to."""
    return users * requests_per_user_per_hour * prices.peak_hours_per_month.expected


def predict_cost(service: Service, prices: Prices) -> Cost:
    """Raises InvalidRequest for an unknown region or API model, UnknownAccelerator."""
    _validate(service, prices)
    terms, spent = own_terms(service, prices), outlay(service, prices)
    month = _sum(terms)
    expected = None if month is None else month.expected
    output_tokens = service.output_tokens * service.requests_per_month
    capacity = _capacity(service)
    first = cheapest(service, prices)
    others = [one for one in prices.api if one.offered and one.model != first.model]
    return Cost(
        currency=prices.regions[service.region].currency,
        cny_per_usd=prices.cny_per_usd.expected,
        months=service.months,
        rented=service.rented,
        terms=terms,
        outlay=spent,
        per_month=month,
        total=_over(month, 1 / service.months),
        utilisation=output_tokens / capacity.expected if capacity else None,
        per_million_output_tokens=_over(month, output_tokens / _MILLION),
        per_million_at_capacity=_at_capacity(month, capacity),
        api=tuple(
            compare(one, service, prices, expected, spent.expected if spent else None) for one in (first, *others)
        ),
        sensitivity=() if month is None else swings(replace(service, api_model=first.model), prices),
        missing=missing(service, prices),
        warnings=_warnings(service, capacity, output_tokens),
        assumptions=assumptions(service, prices),
    )


def demand_region(region: str, prices: Prices) -> None:
    """Raises InvalidRequest for a region without prices."""
    _demand(text("cost-region"), region, list(prices.regions))


def _demand(kind: Text, name: str, known: list[str]) -> None:
    if name not in known:
        near = get_close_matches(name, known, n=1, cutoff=0.5) or known
        message = text("cost-unknown", kind=kind, name=name)
        raise InvalidRequest(message, hint=text("known-names", names=", ".join(near)))


def _validate(service: Service, prices: Prices) -> None:
    demand_region(service.region, prices)
    if service.api_model is not None:
        _demand(text("cost-api-model"), service.api_model, [one.model for one in prices.api])
    if service.months < 1:
        raise InvalidRequest(text("cost-months", found=service.months), hint=text("cost-months-hint"))
    if min(service.devices, service.nodes) < 1 or not 0 <= service.cache_share <= 1:
        raise ValueError(f"{service}")


def _sum(terms: tuple[Term, ...]) -> Band | None:
    bands = [term.per_month for term in terms if term.per_month is not None]
    if len(bands) < len(terms):
        return None
    return Band(sum(one.low for one in bands), sum(one.expected for one in bands), sum(one.high for one in bands))


def _over(band: Band | None, by: float) -> Band | None:
    return None if band is None or by <= 0 else Band(band.low / by, band.expected / by, band.high / by)


def _capacity(service: Service) -> Band | None:
    """Output tokens that the service could deliver in a month of its hours."""
    speed, seconds = service.output_tokens_per_s, service.hours_per_month * 3600
    if speed is None or speed.expected * seconds <= 0:
        return None
    return Band(speed.low * seconds, speed.expected * seconds, speed.high * seconds)


def _at_capacity(month: Band | None, capacity: Band | None) -> Band | None:
    """The cheapest that the hardware allows: low cost at high speed, high cost at low speed."""
    if month is None or capacity is None or capacity.low <= 0:
        return None
    ends = (month.low / capacity.high, month.expected / capacity.expected, month.high / capacity.low)
    return Band(*(end * _MILLION for end in ends))


def _warnings(service: Service, capacity: Band | None, output_tokens: float) -> tuple[Text, ...]:
    if not output_tokens:
        return (text("cost-no-volume"),)
    if capacity is None or output_tokens <= capacity.expected:
        return ()
    return (text("cost-over-capacity", share=f"{output_tokens / capacity.expected * 100:.0f} %"),)
