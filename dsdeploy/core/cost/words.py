"""The names of costs and of what they rest on, and the sentences that say where each figure is from."""

from dsdeploy.core.cost.own import CPU, HOURS_PER_MONTH, needs_server, power_figure, price_of
from dsdeploy.core.cost.values import Figure, Prices, Service
from dsdeploy.core.texts import Text, text

ASSUMED = text("cost-assumed")
NAMES = {
    "hardware": text("cost-hardware"),
    "rent": text("cost-rent"),
    "maintenance": text("cost-maintenance"),
    "power": text("cost-power"),
    "floor": text("cost-floor"),
    "staff": text("cost-staff"),
    "purchase": text("cost-purchase"),
    "power_w": text("cost-power-w"),
    "server": text("cost-server"),
    "maintenance_share_per_year": text("cost-maintenance-share"),
    "depreciation_years": text("cost-depreciation"),
    "power_per_kwh": text("cost-power-price"),
    "pue": text("cost-pue"),
    "load_share": text("cost-load-share"),
    "host_w_per_device": text("cost-host-w"),
    "floor_per_kw_month": text("cost-floor-price"),
    "salary_per_year": text("cost-salary"),
    "cny_per_usd": text("cost-rate"),
    "api_peak_share": text("cost-peak-share"),
    "api": text("cost-api-prices"),
    "prompt_tokens": text("cost-prompt-tokens"),
    "output_tokens": text("cost-output-tokens"),
    "cache_share": text("cost-cache-share"),
}


def per_million_name(utilisation: float | None) -> Text:
    """Of what a million output tokens cost at the planned volume, with the share of the planned speed that it is."""
    return text("page-per-million", share=f"{utilisation * 100:.0f} %") if utilisation else text("plan-cost-million")


def missing(service: Service, prices: Prices) -> tuple[Text, ...]:
    """Each figure that the cost needs and nobody gave, with the key under which a user can."""
    price = price_of(service, prices)
    needed = {"rent_per_hour": price.rent_per_hour} if service.rented else {"purchase": price.purchase}
    if not service.rented:
        needed["power_w"] = power_figure(service, prices)
    names = {"rent_per_hour": NAMES["rent"], "purchase": NAMES["purchase"], "power_w": NAMES["power_w"]}
    return tuple(
        text("cost-missing", what=names[key], name=service.accelerator, key=f"accelerators.{service.accelerator}.{key}")
        for key, figure in needed.items()
        if figure is None
    )


def assumptions(service: Service, prices: Prices) -> tuple[Text, ...]:
    """Everything that the cost rests on, in the order in which it enters."""
    price, region = price_of(service, prices), prices.regions[service.region]
    owned: dict[str, Figure | None] = {
        "purchase": price.purchase,
        "server": prices.server if needs_server(service, prices) else None,
        "depreciation_years": prices.depreciation_years,
        "maintenance_share_per_year": prices.maintenance_share_per_year,
        "power_w": power_figure(service, prices),
        "host_w_per_device": None if service.accelerator == CPU else prices.host_w_per_device,
        "load_share": prices.load_share,
        "pue": prices.pue,
        "power_per_kwh": region.power_per_kwh,
        "floor_per_kw_month": region.floor_per_kw_month,
    }
    used: dict[str, Figure | None] = {"rent": price.rent_per_hour} if service.rented else owned
    used |= {
        "staff": prices.staff,
        "salary_per_year": region.salary_per_year,
        "api_peak_share": prices.api_peak_share,
        "cny_per_usd": prices.cny_per_usd,
    }
    lines = [_line(name, figure, price.purchase_devices, prices) for name, figure in used.items() if figure is not None]
    for one in prices.api:
        if one.offered:
            lines.append(text("cost-api-source", name=one.name, date=one.date, source=prices.sources[one.source]))
    return (*lines, text("cost-constant", hours=f"{HOURS_PER_MONTH:g}"))


def _line(name: str, figure: Figure, devices: int, prices: Prices) -> Text:
    value, unit = f"{figure.expected:,.10g}", figure.unit
    if figure.low != figure.high:
        value += f" ({min(figure.low, figure.high):,.10g} – {max(figure.low, figure.high):,.10g})"
    if name == "purchase" and devices > 1:
        unit = f"{unit} / {devices}"
    return text("cost-figure", what=NAMES[name], value=f"{value} {unit}".rstrip(), source=_source(figure, prices))


def _source(figure: Figure, prices: Prices) -> Text:
    if figure.source == "assumption":
        return ASSUMED
    if figure.source == "own":
        return text("cost-own")
    if figure.source == "catalogue":
        return text("cost-catalogue")
    return text("cost-source", date=figure.date, source=prices.sources.get(figure.source, figure.source))
