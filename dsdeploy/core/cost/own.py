"""The private service's cost per month, term by term."""

from collections.abc import Callable

from dsdeploy.core.accelerators import find_accelerator
from dsdeploy.core.band import Band
from dsdeploy.core.cost.money import convert
from dsdeploy.core.cost.values import ENDS, AcceleratorPrice, Figure, Prices, Region, Service, Term

HOURS_PER_MONTH = 730.0  # 8,760 hours a year over 12
_At = Callable[[Service, Prices, str], float | None]
CPU = "cpu"


def price_of(service: Service, prices: Prices) -> AcceleratorPrice:
    """What is known of the service's accelerator, or of a whole server where that is "cpu"."""
    return prices.accelerators.get(service.accelerator, AcceleratorPrice())


def needs_server(service: Service, prices: Prices) -> bool:
    """Whether the accelerators' price leaves out the servers around them."""
    return service.accelerator != CPU and price_of(service, prices).purchase_devices == 1


def power_figure(service: Service, prices: Prices) -> Figure | None:
    """Rated watts of one accelerator: the user's, else the catalogue's. Raises UnknownAccelerator."""
    if own := price_of(service, prices).power_w:
        return own
    watts = find_accelerator(service.accelerator).power_w
    return None if watts is None else Figure(watts, watts, watts, "W", "", "catalogue")


def own_terms(service: Service, prices: Prices) -> tuple[Term, ...]:
    """Rent covers what the owner of the machines pays: then hardware, maintenance, power and floor fall away."""
    names = ("rent", "staff") if service.rented else ("hardware", "maintenance", "power", "floor", "staff")
    return tuple(Term(name, _each_end(_TERMS[name], service, prices)) for name in names)


def outlay(service: Service, prices: Prices) -> Band | None:
    """What is paid before the first month: accelerators and servers; nothing where they are rented."""
    return Band(0.0, 0.0, 0.0) if service.rented else _each_end(_bought, service, prices)


def in_base(figure: Figure, end: str, service: Service, prices: Prices) -> float:
    """A sum of money in the region's currency, at the expected rate."""
    base = prices.regions[service.region].currency
    return convert(figure.at(end), figure.unit[:3], base, prices.cny_per_usd.expected)


def _each_end(term: _At, service: Service, prices: Prices) -> Band | None:
    low, expected, high = (term(service, prices, end) for end in ENDS)
    return None if low is None or expected is None or high is None else Band(low, expected, high)


def _bought(service: Service, prices: Prices, end: str) -> float | None:
    """Accelerators, and the servers around them where their price does not hold those."""
    price = price_of(service, prices)
    if price.purchase is None:
        return None
    devices = in_base(price.purchase, end, service, prices) * service.devices / price.purchase_devices
    servers = in_base(prices.server, end, service, prices) * service.nodes if needs_server(service, prices) else 0.0
    return devices + servers


def _hardware(service: Service, prices: Prices, end: str) -> float | None:
    bought = _bought(service, prices, end)
    return None if bought is None else bought / (prices.depreciation_years.at(end) * 12)


def _rent(service: Service, prices: Prices, end: str) -> float | None:
    """Held the whole month: a private service that is given back at night is fetched and loaded again each morning."""
    rent = price_of(service, prices).rent_per_hour
    return None if rent is None else in_base(rent, end, service, prices) * service.devices * HOURS_PER_MONTH


def _maintenance(service: Service, prices: Prices, end: str) -> float | None:
    bought = _bought(service, prices, end)
    return None if bought is None else bought * prices.maintenance_share_per_year.at(end) / 12


def _rated_kw(service: Service, prices: Prices, end: str) -> float | None:
    watts = power_figure(service, prices)
    if watts is None:
        return None
    beside_w = 0.0 if service.accelerator == CPU else prices.host_w_per_device.at(end)
    return (watts.at(end) + beside_w) * service.devices / 1000


def _power(service: Service, prices: Prices, end: str) -> float | None:
    rated_kw, region = _rated_kw(service, prices, end), _region(service, prices)
    if rated_kw is None:
        return None
    kwh = rated_kw * prices.load_share.at(end) * prices.pue.at(end) * HOURS_PER_MONTH
    return kwh * in_base(region.power_per_kwh, end, service, prices)


def _floor(service: Service, prices: Prices, end: str) -> float | None:
    rated_kw, region = _rated_kw(service, prices, end), _region(service, prices)
    return None if rated_kw is None else rated_kw * in_base(region.floor_per_kw_month, end, service, prices)


def _staff(service: Service, prices: Prices, end: str) -> float | None:
    salary = in_base(_region(service, prices).salary_per_year, end, service, prices)
    return prices.staff.at(end) * salary / 12


def _region(service: Service, prices: Prices) -> Region:
    return prices.regions[service.region]


_TERMS = {
    "hardware": _hardware,
    "rent": _rent,
    "maintenance": _maintenance,
    "power": _power,
    "floor": _floor,
    "staff": _staff,
}
