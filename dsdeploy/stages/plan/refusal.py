"""Why nothing at all can be served, by the candidate that came nearest, and what the user can do."""

from dsdeploy.core.accelerators import AcceleratorSpec
from dsdeploy.core.engines import engines
from dsdeploy.core.errors import NoModelFits
from dsdeploy.core.plan import Change, Rejected, Request
from dsdeploy.core.texts import CHANGES, RULES, Text, text
from dsdeploy.stages.plan.pools import Pool


def refusal(request: Request, nearest: Rejected, pool: Pool, change: Change | None) -> NoModelFits:
    """`pool` is the largest, `change` the smallest that would help, None where none is known."""
    name = f"{nearest.model_id} {nearest.format}"
    if nearest.needed:
        return NoModelFits(
            text(
                "plan-nothing-fits", users=f"{request.users:,}", context=f"{request.context_tokens:,}", name=name,
                rule=RULES[nearest.rule], shape=_tried(nearest), **nearest.amounts,
            ),
            hint=_hint(change, nearest.rule),
        )  # fmt: skip
    if nearest.rule in ("engine", "format") and pool.known:
        there = _engines_for(pool.spec)
        words = {"accelerator": pool.spec.name, "engines": there or text("plan-no-engine")}
        if request.target == "process":
            return NoModelFits(text("plan-process-only", **words), hint=text("plan-process-only-hint"))
        if nearest.rule == "engine" and request.engine is None:
            return NoModelFits(text("plan-no-image", **words), hint=text("plan-no-image-hint", id=pool.spec.id))
        return NoModelFits(text("plan-no-format", name=name, **words), hint=text("plan-nothing-runs-hint"))
    message = text("plan-nothing-runs", name=name, rule=RULES[nearest.rule])
    return NoModelFits(message, hint=text("plan-nothing-runs-hint"))


def _tried(one: Rejected) -> str:
    tried = ", ".join(filter(None, (one.engine, one.shape))).replace(" x ", " × ")
    return f" ({tried})" if tried else ""


def _engines_for(spec: AcceleratorSpec) -> str:
    """Every engine that runs on it by its documents, with the formats."""
    target = (spec.architecture or "").rpartition(" ")[2]
    able = {one.name: ", ".join(one.runs[target]) for one in engines() if target in one.runs}
    return "; ".join(f"{name} ({formats})" for name, formats in able.items())


def _hint(change: Change | None, rule: str) -> Text:
    if change is None:
        return text("plan-quality-hint" if rule == "quality" else "plan-nothing-fits-hint")
    smallest = text(CHANGES[change.kind], before=f"{change.before:,}", after=f"{change.after:,}")
    return text("plan-change-hint", change=smallest, name=f"{change.model_id} {change.format}")
