"""A plan with its reasons, as a table: what a director asks first, then what an engineer does."""

from collections.abc import Callable
from typing import Any

from dsdeploy.cli.views.table import Table, gib
from dsdeploy.core.accelerators import product_name
from dsdeploy.core.band import Band
from dsdeploy.core.catalogue import find_model
from dsdeploy.core.deployment import Deployment
from dsdeploy.core.licences import bindings
from dsdeploy.core.plan import Alternative, Change, DeviceMemory, Plan, PlannedCost, Rejected, Remark
from dsdeploy.core.texts import CHANGES, RULES, TERMS, text
from dsdeploy.stages.plan.differences import PlanDifference

_NOT_CHOSEN = ("rejected.", "alternatives.")
_SHOWN = 6  # of alternatives and refusals each; the file and --json hold all
_NAMES = 4  # of hosts
_AIMS = {
    "quality": "plan-why-quality",
    "latency": "plan-why-latency",
    "throughput": "plan-why-throughput",
    "cost": "plan-why-cost",
    "named": "plan-why-named",
}

Say = Callable[..., str]
Rows = list[tuple[str, str]]


def plan_rows(plan: Plan, language: str) -> Table:
    def say(id: str, **values: Any) -> str:
        return text(id, **values).render(language)

    rows = _section(say("plan-section-choice"), _choice(plan, say, language))
    rows += _section(say("plan-section-why"), _why(plan, say))
    rows += _section(say("plan-change"), [("", _change(one, say)) for one in plan.changes])
    if plan.device == "cpu":
        rows += _section(say("plan-section-host-memory"), _cpu_memory(plan, say, language))
    elif plan.device_memory:
        rows += _section(say("plan-section-memory"), _device_memory(plan.device_memory, say, language))
    rows += _section(say("plan-section-speed"), _speed(plan, say))
    rows += _section(say("plan-section-cost"), _cost(plan.cost, say) if plan.cost else [])
    remarks = [(str(place), _remark(one, say)) for place, one in enumerate(plan.warnings, 1)]
    rows += _section(say("plan-section-remarks"), remarks)
    rows += _section(say("plan-section-alternatives"), [_alternative(one, say) for one in plan.alternatives[:_SHOWN]])
    rows += _section(say("plan-section-idle"), _idle(plan, say))
    refused = [("", _reason(one, say)) for one in plan.rejected[:_SHOWN]]
    if (more := len(plan.rejected) - _SHOWN) > 0:
        refused.append(("", say("plan-more-rejected", count=more)))
    return (say("field"), say("value")), rows + _section(say("plan-section-refused"), refused)


def _section(title: str, rows: Rows) -> list[tuple[str, ...]]:
    """Nothing where there are no rows."""
    return [(title,), *rows] if rows else []


def difference_rows(found: tuple[PlanDifference, ...], language: str) -> Table:
    """What is chosen; of what is not, plans for different machines differ in hundreds of fields, which are counted."""

    def shown(value: Any) -> str:
        if isinstance(value, list | tuple):
            return "\n".join(shown(one) for one in value)
        if isinstance(value, dict) and value.keys() >= {"code", "values"}:
            return text(value["code"], **value["values"]).render(language)
        if isinstance(value, dict):
            return "; ".join(f"{name}: {one}" for name, one in value.items() if one not in (None, ""))
        return text("difference-absent").render(language) if value is None else str(value)

    head = tuple(text(id).render(language) for id in ("field", "plan-old", "plan-new"))
    told = [one for one in found if not one.place.startswith(_NOT_CHOSEN)]
    rows: list[tuple[str, ...]] = [(one.place, shown(one.old), shown(one.new)) for one in told]
    if more := len(found) - len(told):
        rows.append(("", "", text("plan-diff-more", count=more).render(language)))
    return head, rows


def _choice(plan: Plan, say: Say, language: str) -> Rows:
    d = plan.deployment
    rows = [
        (say("model"), plan.model_id),
        (say("plan-format"), say("plan-format-value", format=plan.format, size=gib(plan.weights_bytes, language))),
        (say("engine"), f"{plan.engine} {d.engine_version}"),
        (say("plan-where"), product_name("cpu") if plan.device == "cpu" else _where(d, say)),
    ]
    if plan.hosts:
        shown = ", ".join(plan.hosts[:_NAMES])
        more = len(plan.hosts) - _NAMES
        rows.append((say("plan-hosts"), shown + (" " + say("and-more", count=more) if more > 0 else "")))
    names = dict.fromkeys(one.licence.name for one in bindings(find_model(plan.model_id)))
    return [*rows, (say("plan-licences"), ", ".join(names) or say("unknown"))]


def _where(d: Deployment, say: Say) -> str:
    """As few words as it takes: one replica on one node is what a reader assumes."""
    sizes = {"TP": d.tensor_parallel, "PP": d.pipeline_parallel, "DP": d.data_parallel}
    shape = " ".join(f"{name}{size}" for name, size in sizes.items() if size > 1) or "TP1"
    device = product_name(d.accelerator) + (f" {d.slice}" if d.slice else "")
    each = f"{d.devices_per_node} × {device}, {shape}" + (" EP" if d.expert_parallel else "")
    if d.replicas == d.nodes == 1:
        return each
    nodes = each if d.nodes == 1 else say("plan-where-nodes", nodes=d.nodes, each=each)
    return nodes if d.replicas == 1 else say("plan-where-replicas", replicas=d.replicas, each=nodes)


def _why(plan: Plan, say: Say) -> Rows:
    rule = "named" if plan.request.model_id and plan.request.aim == "quality" else plan.request.aim
    rows = [(say("plan-rule"), say("why-value") if plan.device == "cpu" else say(_AIMS[rule]))]
    if plan.quality:
        score = f"{plan.quality.score:.1f}"
        rows.append((say("plan-quality"), say("plan-quality-value", score=score)))
    return rows


def _speed(plan: Plan, say: Say) -> Rows:
    if not (speed := plan.speed):
        return []
    load = say("plan-load-value", users=plan.users, at_once=speed.at_once, context=f"{plan.context_tokens:,}")
    rows = [(say("plan-load"), load), (say("plan-speed"), _band(speed.tokens_per_s_per_user))]
    if speed.output_tokens_per_s:
        rows.append((say("plan-speed-total"), _band(speed.output_tokens_per_s)))
    if speed.first_token_s:
        rows.append((say("plan-first-token"), _band(speed.first_token_s, 2)))
    return rows


def _cost(cost: PlannedCost, say: Say) -> Rows:
    how, money = "plan-cost-rented" if cost.rented else "plan-cost-bought", cost.currency
    rows = [(say("plan-cost-outlay"), f"{money} {_band(cost.outlay)}")] if cost.outlay and not cost.rented else []
    if cost.per_month is None:
        return [*rows, (say("plan-cost-month"), say("plan-cost-unknown", keys=", ".join(cost.missing)))]
    rows.append((say("plan-cost-month"), say(how, money=f"{money} {_band(cost.per_month)}")))
    for id, band in (
        ("plan-cost-million", cost.per_million_output_tokens),
        ("plan-cost-million-full", cost.per_million_at_capacity),
    ):
        if band is not None:
            rows.append((say(id), f"{money} {_band(band, 2)}"))
    return rows


def _idle(plan: Plan, say: Say) -> Rows:
    rows = []
    for one in plan.idle:
        machines = f"{len(one.hosts)} × {one.devices_per_node} × {product_name(one.accelerator)}"
        best = say("plan-idle-nothing")
        if one.best:
            quality, said = _alternative(one.best, say)
            best = f"{said} ({quality})"
        rows.append((machines, best))
    return [*rows, ("", say("plan-idle-command"))] if rows else []


def _cpu_memory(plan: Plan, say: Say, language: str) -> Rows:
    memory = plan.memory
    sizes = {
        "weights": memory.weights_bytes, "kv-cache": memory.kv_cache_bytes, "compute": memory.compute_bytes,
        "reserve": memory.reserve_bytes, "needed": memory.needed_bytes, "available": memory.available_bytes,
    }  # fmt: skip
    return [(say(id), gib(size, language)) for id, size in sizes.items()]


def _device_memory(memory: DeviceMemory, say: Say, language: str) -> Rows:
    names = {name: TERMS[name].render(language) if name in TERMS else name for name in memory.terms_bytes}
    return [
        (say("plan-device"), gib(memory.device_bytes, language)),
        (say("plan-device-weights"), gib(memory.weights_bytes, language)),
        *((names[name], gib(size, language)) for name, size in memory.terms_bytes.items()),
        (say("plan-device-cache"), gib(memory.kv_cache_bytes, language)),
        (say("plan-device-tokens"), f"{memory.kv_cache_tokens:,} / {memory.needed_tokens:,}"),
    ]


def _band(band: Band, digits: int = 0) -> str:
    low, high = sorted((band.low, band.high))
    return f"{band.expected:,.{digits}f} ({low:,.{digits}f} – {high:,.{digits}f})"


def _remark(one: Remark, say: Say) -> str:
    return say(one.code, **one.values) + (f" (× {one.times})" if one.times > 1 else "")


def _change(one: Change, say: Say) -> str:
    quality = f" ({one.quality:.1f} %)" if one.quality is not None else ""
    change = say(CHANGES[one.kind], before=f"{one.before:,}", after=f"{one.after:,}")
    return say("plan-named", name=f"{one.model_id} {one.format}{quality}", words=change)


def _alternative(one: Alternative, say: Say) -> tuple[str, str]:
    quality = f"{one.quality:.1f} %" if one.quality is not None else "-"
    speed = "-" if one.tokens_per_s_per_user is None else f"{one.tokens_per_s_per_user:,.0f}"
    where = f"{one.engine}, {one.devices} × {product_name(one.accelerator)}, {one.shape}"
    words = say("plan-alternative-value", where=where, speed=speed)
    return quality, say("plan-named", name=f"{one.model_id} {one.format}", words=words)


def _reason(one: Rejected, say: Say) -> str:
    rule, amounts, name = RULES[one.rule], one.amounts, f"{one.model_id} {one.format}"
    tried = ", ".join(filter(None, (one.engine, one.shape))).replace(" x ", " × ")
    where = f" ({tried})" if tried else ""
    if not amounts:
        return say("plan-refused", name=name, rule=rule) + where
    return say("plan-refused-value", name=name, rule=rule, **amounts) + where
