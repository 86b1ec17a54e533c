"""Which fields of a plan, edited by hand or not, say something else than what follows from the others."""

from dataclasses import replace

from dsdeploy.core import catalogue
from dsdeploy.core.engines import find_engine
from dsdeploy.core.errors import PlanDoesNotHold
from dsdeploy.core.plan import Plan, Remark, Request
from dsdeploy.core.sizing.support import same_format
from dsdeploy.core.texts import text
from dsdeploy.stages.plan.differences import plan_differences

# What nothing follows from: the record of a search, and money, which `dsdeploy cost` counts anew.
RECORDS = ("rejected", "alternatives", "changes", "idle", "cost")
_SHOWN = 6


def demand_agreement(plan: Plan, fresh: Plan, *, here: bool) -> None:
    """`fresh` is what the plan's request and deployment lead to, on the machines that it was made for where `here`.

    On others, what was found at those is taken as it stands. Raises PlanDoesNotHold, which names every field that
    differs, and UnknownModel.
    """
    expected = replace(fresh, request=_fulfilled(plan), **{name: getattr(plan, name) for name in RECORDS})
    if here:
        expected = replace(expected, warnings=_in_order(plan.warnings, fresh.warnings))
    else:
        found = ("warnings", "hosts", "device_indices", "disk_path", "hardware_asked_at")
        memory = replace(expected.memory, available_bytes=plan.memory.available_bytes)
        expected = replace(expected, memory=memory, **{name: getattr(plan, name) for name in found})
    many = plan_differences(plan, expected)
    if not many:
        return
    said = [text("plan-differs", field=one.place, found=one.old, expected=one.new) for one in many[:_SHOWN]]
    if len(many) > _SHOWN:
        said.append(text("plan-differs-more", count=len(many) - _SHOWN))
    message = said[0]
    for one in said[1:]:
        message = text("plan-differs-next", before=message, one=one)
    raise PlanDoesNotHold(message, hint=text("plan-differs-hint"))


def _fulfilled(plan: Plan) -> Request:
    """The request, with each choice that it leaves no room for as the deployment has it."""
    request, d = plan.request, plan.deployment
    model, form, engine = request.model_id, request.format, request.engine
    return replace(
        request,
        model_id=model if model is None or catalogue.find_model(model)["id"] == d.model_id else d.model_id,
        format=form if form is None or same_format(d.format, form.lower()) else d.format,
        engine=engine if engine is None or find_engine(engine).name == d.engine else d.engine,
        replicas=request.replicas and d.replicas,
    )


def _in_order(said: tuple[Remark, ...], due: tuple[Remark, ...]) -> tuple[Remark, ...]:
    """Those that are due, as the plan orders them."""
    kept = tuple(one for one in said if one in due)
    return (*kept, *(one for one in due if one not in kept))
