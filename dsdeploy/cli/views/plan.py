"""A plan with its reasons, as a table: what a director asks first, then what an engineer does."""

from collections.abc import Callable
from typing import Any

from dsdeploy.cli.views.table import Table, gib
from dsdeploy.core.band import Band
from dsdeploy.core.catalogue import find_model
from dsdeploy.core.licences import bindings
from dsdeploy.core.plan import Alternative, Change, DeviceMemory, Plan, Rejected, Remark
from dsdeploy.core.texts import CHANGES, RULES, text
from dsdeploy.stages.plan.differences import PlanDifference

_SHOWN = 6  # of alternatives and refusals each; the file and --json hold all
_UNITS = {
    "memory": "bytes", "disk": "bytes", "kv-cache": "tokens", "context": "tokens", "speed": "per-s",
    "first-token": "seconds", "quality": "percent", "devices": "count",
}  # fmt: skip

Say = Callable[..., str]


def plan_rows(plan: Plan, language: str) -> Table:
    def say(id: str, **values: Any) -> str:
        return text(id, **values).render(language)

    rows = [(say("chosen"), f"{plan.model_id} {plan.format}")]
    rows.append((say("engine"), f"{plan.engine} {plan.deployment.engine_version} ({plan.device})"))
    rows += _cpu_rows(plan, say, language) if plan.device == "cpu" else _accelerator_rows(plan, say, language)
    names = dict.fromkeys(one.licence.name for one in bindings(find_model(plan.model_id)))
    rows.append((say("plan-licences"), ", ".join(names) or say("unknown")))
    rows += [(say("warning"), _remark(one, say)) for one in plan.warnings]
    rows += [(say("plan-change"), _change(one, say)) for one in plan.changes]
    rows += [(say("plan-alternative"), _alternative(one, say)) for one in plan.alternatives[:_SHOWN]]
    for one in plan.rejected[:_SHOWN]:
        rows.append((say("rejected", name=f"{one.model_id} {one.format}"), _reason(one, say, language)))
    if (more := len(plan.rejected) - _SHOWN) > 0:
        rows.append((say("plan-more-rejected"), say("plan-more-rejected-value", count=more)))
    return (say("field"), say("value")), rows  # type: ignore[return-value]


def difference_rows(found: tuple[PlanDifference, ...], language: str) -> Table:
    def shown(value: Any) -> str:
        return text("absent").render(language) if value is None else str(value)

    head = tuple(text(id).render(language) for id in ("field", "plan-old", "plan-new"))
    return head, [(one.place, shown(one.old), shown(one.new)) for one in found]


def _cpu_rows(plan: Plan, say: Say, language: str) -> list[tuple[str, str]]:
    memory = plan.memory
    sizes = {
        "weights": memory.weights_bytes, "kv-cache": memory.kv_cache_bytes, "compute": memory.compute_bytes,
        "reserve": memory.reserve_bytes, "needed": memory.needed_bytes, "available": memory.available_bytes,
    }  # fmt: skip
    return [(say("why"), say("why-value")), *((say(id), gib(size, language)) for id, size in sizes.items())]


def _accelerator_rows(plan: Plan, say: Say, language: str) -> list[tuple[str, str]]:
    d, speed = plan.deployment, plan.speed
    sizes = {"TP": d.tensor_parallel, "PP": d.pipeline_parallel, "DP": d.data_parallel}
    shape = " ".join(f"{name}{size}" for name, size in sizes.items() if size > 1) or "TP1"
    where = say(
        "plan-where-value",
        replicas=d.replicas,
        nodes=d.nodes,
        count=d.devices_per_node,
        name=d.accelerator,
        shape=shape,
    )
    rows = [(say("plan-where"), where)]
    if plan.quality:
        rows.append((say("plan-quality"), say("plan-quality-value", score=f"{plan.quality.score:.1f}")))
    if speed:
        context = f"{d.max_model_len:,}"
        load = say("plan-load-value", users=plan.users, at_once=speed.at_once, context=context)
        rows += [(say("plan-load"), load), (say("plan-speed"), _band(speed.tokens_per_s_per_user))]
        if speed.output_tokens_per_s:
            rows.append((say("plan-speed-total"), _band(speed.output_tokens_per_s)))
        if speed.first_token_s:
            rows.append((say("plan-first-token"), _band(speed.first_token_s, 2)))
    rows.append((say("plan-disk"), gib(plan.weights_bytes, language)))
    return rows + (_memory_rows(plan.device_memory, say, language) if plan.device_memory else [])


def _memory_rows(memory: DeviceMemory, say: Say, language: str) -> list[tuple[str, str]]:
    terms = ", ".join(f"{name} {gib(size, language)}" for name, size in memory.terms_bytes.items())
    beside = gib(sum(memory.terms_bytes.values()), language)
    return [
        (say("plan-device"), gib(memory.device_bytes, language)),
        (say("plan-device-weights"), gib(memory.weights_bytes, language)),
        (say("plan-device-beside"), f"{beside} ({terms})"),
        (say("plan-device-cache"), gib(memory.kv_cache_bytes, language)),
        (say("plan-device-tokens"), f"{memory.kv_cache_tokens:,} / {memory.needed_tokens:,}"),
    ]


def _band(band: Band, digits: int = 0) -> str:
    low, high = sorted((band.low, band.high))
    return f"{band.expected:,.{digits}f} ({low:,.{digits}f} – {high:,.{digits}f})"


def _remark(one: Remark, say: Say) -> str:
    return say(one.code, **one.values) + (f" (x {one.times})" if one.times > 1 else "")


def _change(one: Change, say: Say) -> str:
    quality = f" ({one.quality:.1f} %)" if one.quality is not None else ""
    change = say(CHANGES[one.kind], before=f"{one.before:,}", after=f"{one.after:,}")
    return f"{one.model_id} {one.format}{quality}: {change}"


def _alternative(one: Alternative, say: Say) -> str:
    quality = f"{one.quality:.1f} %" if one.quality is not None else "-"
    speed = "-" if one.tokens_per_s_per_user is None else f"{one.tokens_per_s_per_user:,.0f}"
    name = f"{one.model_id} {one.format} ({one.engine}, {one.devices} x {one.accelerator}, {one.shape})"
    return f"{name}: " + say("plan-alternative-value", quality=quality, speed=speed)


def _reason(one: Rejected, say: Say, language: str) -> str:
    rule, unit = RULES[one.rule].render(language), _UNITS.get(one.rule)
    where = f" ({one.engine} {one.shape})".replace(" )", ")") if one.engine else ""
    if unit is None:
        return rule + where
    needed, available = (_amount(value, unit, language) for value in (one.needed, one.available))
    return say("rejected-value", rule=rule, needed=needed, available=available) + where


def _amount(value: float, unit: str, language: str) -> str:
    shown = {
        "tokens": f"{value:,.0f} token", "per-s": f"{value:,.1f} token/s", "seconds": f"{value:,.2f} s",
        "percent": f"{value:,.1f} %", "count": f"{value:,.0f}",
    }  # fmt: skip
    return gib(int(value), language) if unit == "bytes" else shown[unit]
