"""A cost as a table: its terms, the totals, the API instead, and what it rests on."""

from dsdeploy.cli.views.table import Table
from dsdeploy.core.band import Band
from dsdeploy.core.cost import Cost, convert
from dsdeploy.core.cost.words import ASSUMED, NAMES, per_million_name
from dsdeploy.core.texts import Text, text


def cost_rows(cost: Cost, language: str) -> Table:
    other = "USD" if cost.currency == "CNY" else "CNY"

    def row(name: Text, band: Band | None, digits: int = 0) -> tuple[str, ...]:
        if band is None:
            return (name.render(language), "–", "")
        amount, spread = f"{band.expected:,.{digits}f}", f"{band.low:,.{digits}f} – {band.high:,.{digits}f}"
        return name.render(language), amount, spread

    rows = [row(NAMES[term.name], term.per_month) for term in cost.terms]
    rows.append(row(text("page-month-total"), cost.per_month))
    if cost.per_month:
        rate = convert(1.0, cost.currency, other, cost.cny_per_usd)
        month = Band(*(end * rate for end in (cost.per_month.low, cost.per_month.expected, cost.per_month.high)))
        rows.append(row(text("cost-in-other", currency=other), month))
    rows.append(row(text("page-total", months=cost.months), cost.total))
    rows.append(row(text("page-outlay"), cost.outlay))
    if cost.per_million_output_tokens:
        rows.append(row(per_million_name(cost.utilisation), cost.per_million_output_tokens, 2))
    if cost.per_million_at_capacity:
        rows.append(row(text("page-per-million-full"), cost.per_million_at_capacity, 2))
    for one in cost.api:
        tokens = one.break_even_tokens_per_month
        beyond = "" if tokens is None else text("cost-break-even", tokens=f"{tokens / 1e6:,.0f} M").render(language)
        if one.within_capacity is False:
            beyond = text("page-beyond", tokens=beyond).render(language)
        rows.append((text("cost-api", name=one.name, date=one.date).render(language), f"{one.per_month:,.0f}", beyond))
    notes = (*cost.missing, *cost.warnings)
    for title, said in (
        ("plan-section-remarks", notes),
        ("cost-assumption", _unsourced(cost)),
        ("cost-sourced", (text("cost-sourced-where"),)),
    ):
        if said:
            rows += [(text(title).render(language),), *(("", "", one.render(language)) for one in said)]
    head = (text("page-money", currency=cost.currency), text("page-expected"), text("cost-spread"))
    return tuple(one.render(language) for one in head), rows


def _unsourced(cost: Cost) -> list[Text]:
    """What no source stands behind; the rest, with long addresses, is left to the page and --json."""
    return [one for one in cost.assumptions if one.id == "cost-constant" or one.values.get("source") == ASSUMED]
