"""The cost of a plan: its terms, the API instead, and from which volume on which of them is cheaper."""

from dsdeploy.adapters.reports.page import Block, Curve, Items, Lines, Section, Table, Tornado
from dsdeploy.adapters.reports.plan_page.words import ends, money, number
from dsdeploy.core.band import Band
from dsdeploy.core.cost import Cost
from dsdeploy.core.cost.values import Service
from dsdeploy.core.cost.words import NAMES, per_million_name
from dsdeploy.core.texts import Text, text


def costs(cost: Cost, service: Service) -> Section:
    blocks: list[Block] = []
    if cost.missing:
        blocks.append(Items(cost.missing))
    blocks.append(_terms(cost))
    blocks.append(_api_table(cost, service))
    if cost.per_month:
        blocks.append(_break_even_chart(cost, cost.per_month, service))
    if cost.sensitivity:
        blocks.append(_tornado(cost, service))
    if cost.warnings:
        blocks.append(Items(cost.warnings))
    return Section(text("page-cost"), tuple(blocks))


def _terms(cost: Cost) -> Table:
    rows = [(NAMES[term.name], *ends(term.per_month)) for term in cost.terms]
    rows += [
        (text("page-month-total"), *ends(cost.per_month)),
        (text("page-total", months=cost.months), *ends(cost.total)),
        (text("page-outlay"), *ends(cost.outlay)),
        (per_million_name(cost.utilisation), *ends(cost.per_million_output_tokens, 2)),
        (text("page-per-million-full"), *ends(cost.per_million_at_capacity, 2)),
    ]
    columns = (text("page-money", currency=cost.currency), text("page-low"), text("page-expected"), text("page-high"))
    return Table(columns, tuple(rows), (1, 2, 3), len(cost.terms), text("page-rate-note", rate=f"{cost.cny_per_usd:g}"))


def _api_table(cost: Cost, service: Service) -> Table:
    columns = (
        text("page-api"),
        text("page-api-month", currency=cost.currency),
        text("page-api-million", currency=cost.currency),
        text("page-break-even"),
        text("page-break-even-month"),
    )
    never, unknown = text("page-never"), text("page-unknown")

    def tokens(value: float | None, within: bool | None) -> str | Text:
        if value is None:
            return unknown
        said = f"{value / 1e6:,.0f} M"
        return text("page-beyond", tokens=said) if within is False else said

    rows = tuple(
        (
            one.name,
            money(one.per_month),
            number(one.per_million_output_tokens, 2),
            tokens(one.break_even_tokens_per_month, one.within_capacity),
            unknown if cost.per_month is None else never if one.break_even_month is None else str(one.break_even_month),
        )
        for one in cost.api
    )
    planned = service.requests_per_month * (service.prompt_tokens + service.output_tokens)
    return Table(columns, rows, (1, 2, 3, 4), None, text("page-api-note", tokens=f"{planned / 1e6:,.0f} M"))


def _break_even_chart(cost: Cost, month: Band, service: Service) -> Lines:
    """Money per month against tokens per month, up to a little beyond the nearest break-even."""
    planned = service.requests_per_month * (service.prompt_tokens + service.output_tokens)
    dearer = {one.name: one.break_even_tokens_per_month for one in cost.api if one.break_even_tokens_per_month}
    end = max(planned, min(dearer.values(), default=0.0)) * 1.3

    def line(break_even: float) -> tuple[tuple[float, Band], ...]:
        there = month.expected / break_even * end
        return ((0.0, Band(0.0, 0.0, 0.0)), (end / 1e6, Band(there, there, there)))

    return Lines(
        text("page-break-even-title"),
        text("page-million-tokens"),
        text("page-money", currency=cost.currency),
        (
            Curve(text("page-own"), ((0.0, month), (end / 1e6, month))),
            *(Curve(name, line(tokens)) for name, tokens in dearer.items()),
        ),
        (planned / 1e6, text("page-planned")) if planned else None,
    )


def _tornado(cost: Cost, service: Service) -> Tornado:
    base = cost.api[0].break_even_tokens_per_month or 0.0
    rows = tuple((NAMES[one.name], one.at_less / 1e6, one.at_more / 1e6) for one in cost.sensitivity[:10])
    title = text("page-tornado", name=cost.api[0].name)
    return Tornado(title, base / 1e6, rows, text("page-less"), text("page-more"))
