"""For whoever decides: what is planned, how good it is, its licence's duties, and what would admit a better model."""

from dsdeploy.adapters.reports.page import Block, Cell, Facts, Items, Section, Table
from dsdeploy.adapters.reports.plan_page.words import hardware, listed, percent, reason
from dsdeploy.core.catalogue import find_model
from dsdeploy.core.errors import UnknownModel
from dsdeploy.core.industries import find_industry
from dsdeploy.core.licences import bindings
from dsdeploy.core.plan import Change, Plan
from dsdeploy.core.texts import CHANGES, Text, text
from dsdeploy.core.workloads import find_workload

_BASES = {
    "successor": text("page-basis-successor"),
    "same-weights": text("page-basis-same-weights"),
    "measured": text("page-basis-measured"),
    "class": text("page-basis-class"),
    "below-class": text("page-basis-below-class"),
}


def what(plan: Plan) -> Section:
    request = plan.request
    industry, load = find_industry(request.industry), find_workload(request.workload) if request.workload else None
    users = text("page-users-value", users=f"{plan.users:,}", context=f"{plan.context_tokens:,}")
    rows: list[tuple[Text, Cell]] = [
        (text("page-model"), f"{plan.model_id} · {plan.format}"),
        (text("page-hardware"), hardware(plan)),
        (text("page-engine"), f"{plan.engine} {plan.deployment.engine_version}".strip()),
        (text("page-users"), users),
        (text("page-workload"), load.title if load else text("page-no-workload")),
        (text("page-industry"), industry.title),
        (text("page-target"), plan.target),
    ]
    return Section(text("page-what"), (Facts(tuple(rows)),))


def quality(plan: Plan) -> Section:
    quality = plan.quality
    if quality is None:
        return Section(text("page-quality"), (Items((text("page-quality-unknown"),)),))
    model, _, format = quality.basis.partition("+")
    rows = (
        (text("page-quality-score"), f"{quality.score:.1f} %"),
        (text("page-quality-published"), _based(percent(quality.benchmark_score), model)),
        (text("page-quality-recovery"), _based(percent(quality.recovery * 100), format)),
        (text("page-source"), quality.source),
    )
    return Section(text("page-quality"), (Facts(rows),))


def _based(value: str, basis: str) -> str | Text:
    return text("page-based", value=value, basis=_BASES[basis]) if basis in _BASES else value


def duties(plan: Plan) -> Section:
    try:
        bound = bindings(find_model(plan.model_id))
    except UnknownModel:
        bound = ()
    named = {one.licence.name: one.licence for one in bound}
    duties = {duty.id: duty for licence in named.values() for duty in licence.duties}
    lines = (text("page-licence", name=one.name, source=one.source) for one in named.values())
    return listed(text("page-duties"), (*lines, *duties.values()), text("page-none"))


def better(plan: Plan) -> Section:
    """Why not the big one, and what would admit it."""
    columns = (text("page-model"), text("page-change"), text("page-quality-tile"))
    rows = tuple((f"{one.model_id} · {one.format}", _smallest(one), percent(one.quality)) for one in plan.changes)
    blocks: list[Block] = []
    if plan.rejected:
        admitted = {one.model_id for one in plan.changes}
        first = next((one for one in plan.rejected if one.model_id in admitted), plan.rejected[0])
        blocks.append(Items((reason(first),)))
    blocks.append(Table(columns, rows, (2,)) if rows else Items((text("page-no-change"),)))
    return Section(text("page-better"), tuple(blocks))


def _smallest(one: Change) -> Text:
    return text(CHANGES[one.kind], before=f"{one.before:,}", after=f"{one.after:,}")
