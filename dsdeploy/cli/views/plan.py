"""A plan with its reasons, as a table."""

from typing import Any

from dsdeploy.cli.views.table import Table, gib
from dsdeploy.core.texts import RULES, WARNINGS, text
from dsdeploy.core.values import Plan


def plan_rows(plan: Plan, language: str) -> Table:
    def say(id: str, **values: Any) -> str:
        return text(id, **values).render(language)

    rows: list[tuple[str, ...]] = [
        (say("chosen"), f"{plan.model_id} {plan.format}"),
        (say("engine"), f"{plan.engine} ({plan.device})"),
        (say("why"), say("why-value")),
        (say("weights"), gib(plan.memory.weights_bytes, language)),
        (say("kv-cache"), gib(plan.memory.kv_cache_bytes, language)),
        (say("compute"), gib(plan.memory.compute_bytes, language)),
        (say("reserve"), gib(plan.memory.reserve_bytes, language)),
        (say("needed"), gib(plan.memory.needed_bytes, language)),
        (say("available"), gib(plan.memory.available_bytes, language)),
    ]
    rows += [(say("warning"), WARNINGS[code].render(language)) for code in plan.warnings]
    for one in plan.rejected:
        needed, available = (
            f"{size:,.0f} tokens" if one.rule == "context" else gib(int(size), language)
            for size in (one.needed, one.available)
        )
        reason = say("rejected-value", rule=RULES[one.rule], needed=needed, available=available)
        rows.append((say("rejected", name=f"{one.model_id} {one.format}"), reason))
    return (say("field"), say("value")), rows
