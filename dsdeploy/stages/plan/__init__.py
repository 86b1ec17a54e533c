"""Chooses what to serve and how, on the hardware that is there or would be bought, and says why nothing better."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import ceil

from dsdeploy.adapters.engines import find_engine_adapter
from dsdeploy.core import catalogue
from dsdeploy.core.errors import InvalidRequest, NoModelFits, PlanDoesNotHold
from dsdeploy.core.fleet import Fleet, Machine
from dsdeploy.core.industries import find_industry
from dsdeploy.core.machines import Profile
from dsdeploy.core.plan import Change, Plan, PlannedSpeed, Remark, Request
from dsdeploy.core.texts import text
from dsdeploy.core.workloads import find_workload
from dsdeploy.stages.plan.agreement import demand_agreement
from dsdeploy.stages.plan.budget import pools_within as pools_within
from dsdeploy.stages.plan.build import build_plan, licences_of, planned_speed
from dsdeploy.stages.plan.candidates import Offer, Shape, engines_for, offers
from dsdeploy.stages.plan.case import Fit
from dsdeploy.stages.plan.changes import changes_for
from dsdeploy.stages.plan.cpu import choose_on_cpu, no_longer_fits, verify_cpu
from dsdeploy.stages.plan.cpu import compute_buffer_bytes as compute_buffer_bytes
from dsdeploy.stages.plan.differences import plan_differences as plan_differences
from dsdeploy.stages.plan.files import load_plan as load_plan
from dsdeploy.stages.plan.files import load_request as load_request
from dsdeploy.stages.plan.files import save_plan as save_plan
from dsdeploy.stages.plan.idle import idle_beside
from dsdeploy.stages.plan.idle import left_by as left_by
from dsdeploy.stages.plan.judge import closest, judge_exactly, speed_at
from dsdeploy.stages.plan.load import Load, load_of
from dsdeploy.stages.plan.pools import Pool, pools_of, takes_pods
from dsdeploy.stages.plan.pools import Pools as Pools
from dsdeploy.stages.plan.pools import pool_to_buy as pool_to_buy
from dsdeploy.stages.plan.rank import AIMS, ranked
from dsdeploy.stages.plan.refusal import refusal
from dsdeploy.stages.plan.search import Found, search
from dsdeploy.stages.plan.site import site_remarks
from dsdeploy.stages.plan.wanted import longest_request

TARGETS = ("auto", "process", "compose", "kubernetes")
_STEPS = 12  # of a speed curve, closer where few ask at once
_BETTER = 3  # better models for which a change is looked for

Hardware = Profile | Fleet | Pools
_CLIENT_CERTIFICATES = {
    "compose": "plan-client-certificates-compose",
    "kubernetes": "plan-client-certificates-kubernetes",
}


def choose_plan(request: Request, hardware: Hardware) -> Plan:
    """The best plan for what is wanted. Raises InvalidRequest, UnknownModel, UnknownWorkload, NoModelFits."""
    _judge_request(request)
    pools = hardware if isinstance(hardware, Pools) else pools_of(_fleet(hardware))
    smoke = request.model_id is not None and catalogue.find_model(request.model_id)["id"] == catalogue.smoke_id()
    if smoke or not pools.pools:
        return _choose_on_cpu(request, hardware, pools)
    load, wanted = load_of(request), offers(request)
    found, missed = search(wanted, pools.pools, load, request), False
    if not found.fits:
        found, missed = search(wanted, pools.pools, load.without_wishes(), request), True
    if not found.fits:
        return _last_resort(request, hardware, found, wanted, pools, load)
    order = ranked(found.fits, request.aim, request.min_quality)
    plan = build_plan(_targeted(request, hardware, order[0]), order, found.rejected, _asked_at(hardware))
    remarks = _all_remarks(plan, hardware, pools, *((Remark("plan-wishes-missed"),) if missed else ()))
    eased = load.without_wishes() if missed else load
    changes = _changes(order[0].offer, found, wanted, pools.pools, eased, request.engine)
    return replace(plan, warnings=remarks, changes=changes, idle=idle_beside(order, pools.pools))


def verify_plan(plan: Plan, hardware: Hardware) -> None:
    """Judges a plan again, every field of it, after hand edits too.

    Raises PlanDoesNotHold, InvalidRequest, UnknownModel, UnknownEngine, RenderError.
    """
    _judge_request(plan.request)
    here = plan.hardware_asked_at == _asked_at(hardware)
    if plan.device == "cpu":
        machine = _roomiest(_fleet(hardware), plan.hosts) if not isinstance(hardware, Pools) else None
        if machine is None:
            raise InvalidRequest(text("plan-needs-machine"), hint=text("plan-needs-machine-hint"))
        fresh = replace(verify_cpu(plan, machine.profile), hosts=(machine.name,), licences=licences_of(plan.model_id))
        pools, missed = Pools(()), False
        if not isinstance(hardware, Pools):
            pools = pools_of(_fleet(hardware))
    else:
        pools = hardware if isinstance(hardware, Pools) else pools_of(_fleet(hardware))
        fit, missed = _verified(plan, pools)
        fresh = _standing(plan, build_plan(plan.request, (fit,), (), _asked_at(hardware)), fit)
    if here:
        remarks = _all_remarks(fresh, hardware, pools, *((Remark("plan-wishes-missed"),) if missed else ()))
        fresh = replace(fresh, warnings=remarks)
    demand_agreement(plan, fresh, here=here)


def _verified(plan: Plan, pools: Pools) -> tuple[Fit, bool]:
    """The plan's deployment as a candidate, and whether it misses what its workload wishes.

    Raises PlanDoesNotHold, RenderError.
    """
    d = plan.deployment
    known = _offers_of(plan)
    offer = next((one for one in known if one.variant.repository == plan.weights_repo), None)
    if offer is None:
        names = ", ".join(one.variant.repository for one in known) or "-"
        message = text("plan-differs", field="weights_repo", found=plan.weights_repo, expected=names)
        raise PlanDoesNotHold(message, hint=text("plan-differs-hint"))
    alike = [one for one in pools.pools if (one.spec.id, one.slice) == (d.accelerator, d.slice)]
    if not alike:
        there = ", ".join(one.title for one in pools.pools) or "-"
        message = text("plan-no-such-device", accelerator=d.accelerator, there=there)
        raise PlanDoesNotHold(message, hint=text("plan-no-such-device-hint"))
    if alike[0].known:
        find_engine_adapter(d.engine).refuse(d)
    load, refused = load_of(plan.request), None
    for wishes in (load, load.eased(), load.without_wishes()):
        for pool in sorted(alike, key=lambda one: not set(plan.hosts) <= set(one.names)):
            found = judge_exactly(
                offer, d.engine, d.engine_version, _shape_of(plan), pool, wishes, d.replicas, d.max_num_batched_tokens
            )
            if isinstance(found, Fit):
                return found, wishes == load.without_wishes() != load
            refused = found
    assert refused is not None
    raise no_longer_fits(refused)


def _standing(plan: Plan, fresh: Plan, fit: Fit) -> Plan:
    """Any machines of the pool may serve, as many as are needed, each by the devices that are free there."""
    free = dict(zip(fit.pool.names, fit.pool.indices, strict=False))
    chosen = dict.fromkeys(plan.hosts)
    if len(chosen) != len(plan.hosts) or len(chosen) != fit.machines or not set(chosen) <= set(fit.pool.names):
        return fresh
    found = tuple(free[name] for name in chosen if name in free)
    whole = all(one == tuple(range(len(one))) for one in found)
    return replace(fresh, hosts=plan.hosts, device_indices=() if whole else found)


def speed_curve(plan: Plan, hardware: Hardware) -> tuple[PlannedSpeed, ...]:
    """The plan's deployment from one request at once to twice the planned ones; empty where no speed is known."""
    if plan.device == "cpu":
        return ()
    pools = hardware if isinstance(hardware, Pools) else pools_of(_fleet(hardware))
    d, planned = plan.deployment, plan.speed
    pool = next((one for one in pools.pools if (one.spec.id, one.slice) == (d.accelerator, d.slice)), None)
    offer = next((one for one in _offers_of(plan) if one.variant.repository == plan.weights_repo), None)
    if planned is None or pool is None or offer is None:
        return ()
    load, shape = load_of(plan.request), _shape_of(plan)
    steps = {max(1, round(2 * planned.at_once * (step / _STEPS) ** 2)) for step in range(_STEPS + 1)}
    each = {
        at_once: speed_at(
            offer, d.engine, d.engine_version, shape, pool, load, ceil(at_once / d.replicas), d.max_num_batched_tokens
        )
        for at_once in sorted(steps)
    }
    found = (planned_speed(speed, at_once, d.replicas) for at_once, speed in each.items())
    return tuple(one for one in found if one is not None)


def _shape_of(plan: Plan) -> Shape:
    d = plan.deployment
    spread = d.expert_parallel and catalogue.architecture(d.model_id).n_routed_experts > 0
    return Shape(d.devices_per_node, d.nodes, d.tensor_parallel, d.pipeline_parallel, d.data_parallel, spread)


def _offers_of(plan: Plan) -> tuple[Offer, ...]:
    named = replace(plan.request, model_id=plan.model_id, format=plan.format, min_quality=None)
    return tuple(one for one in offers(named) if one.variant.format == plan.format)


def _choose_on_cpu(request: Request, hardware: Hardware, pools: Pools) -> Plan:
    if isinstance(hardware, Pools):
        raise InvalidRequest(text("plan-needs-machine"), hint=text("plan-needs-machine-hint"))
    machine = _roomiest(_fleet(hardware))
    if machine is None:
        raise InvalidRequest(text("plan-no-machine"), hint=text("plan-no-machine-hint"))
    target = "process" if request.target == "auto" else request.target
    plan = replace(choose_on_cpu(replace(request, target=target), machine.profile), hosts=(machine.name,))
    remarks = _all_remarks(plan, hardware, pools)
    return replace(plan, warnings=remarks, licences=licences_of(plan.model_id))


def _all_remarks(plan: Plan, hardware: Hardware, pools: Pools, *more: Remark) -> tuple[Remark, ...]:
    """What was left out, what the plan assumes, then what is wrong where it will stand."""
    seen = () if isinstance(hardware, Pools) else site_remarks(plan, _fleet(hardware))
    return (*pools.remarks, *plan.warnings, *more, *_context_remarks(plan.request), *seen, *_industry_remarks(plan))


def _context_remarks(request: Request) -> Iterator[Remark]:
    longest = longest_request(request)
    if not request.workload or not longest:
        return
    short = request.context_tokens < longest
    said = {"context": f"{request.context_tokens:,}", "longest": f"{longest:,}"}
    yield Remark("plan-context-short" if short else "plan-context-holds", said)


def _industry_remarks(plan: Plan) -> Iterator[Remark]:
    """What the industry asks and only the site can do; the rest is set without a word."""
    if plan.request.industry == "general":
        return
    settings = find_industry(plan.request.industry).settings
    gateway = plan.target in _CLIENT_CERTIFICATES
    if settings.mutual_tls and gateway:
        yield Remark(_CLIENT_CERTIFICATES[plan.target])
    if "sm2" in settings.signatures:
        yield Remark("plan-sm2-signature")
    if gateway:
        yield Remark("plan-logs-kept", {"days": str(settings.log_retention_days)})
    elif settings.audit_log:
        yield Remark("plan-no-audit-log")


def _last_resort(
    request: Request, hardware: Hardware, found: Found, wanted: tuple[Offer, ...], pools: Pools, load: Load
) -> Plan:
    """What a processor can do where the accelerators serve nothing and no speed is asked, for its speed is not
    predicted; else why, by the offer that came nearest."""
    timed = request.max_first_token_s or request.min_tokens_per_s
    if not isinstance(hardware, Pools) and not timed:
        try:
            plan = _choose_on_cpu(request, hardware, pools)
            return replace(plan, rejected=(*found.rejected, *plan.rejected))
        except (InvalidRequest, NoModelFits):
            pass
    nearest = closest(found.rejected)
    eased = load.without_wishes()
    changes = _changes(None, found, wanted, pools.pools, eased, request.engine) if nearest.needed else ()
    raise refusal(request, nearest, pools.pools[0], next(iter(changes), None))


def _changes(
    chosen: Offer | None,
    found: Found,
    wanted: tuple[Offer, ...],
    pools: tuple[Pool, ...],
    load: Load,
    engine: str | None,
) -> tuple[Change, ...]:
    """For the nearest better models, each once, on the largest pool, with the engine that was asked for."""
    lost = {(one.model_id, one.format): one.rule for one in found.rejected}
    numbers = ("memory", "kv-cache", "context", "speed", "first-token")
    better: dict[str, list[Offer]] = {}
    for offer in sorted(wanted, key=lambda one: one.score, reverse=chosen is None):
        rule = lost.get((offer.variant.model_id, offer.variant.format))
        if rule in numbers and (chosen is None or offer.score > chosen.score):
            better.setdefault(offer.variant.model_id, []).append(offer)
    asked = Request(None, load.users, load.longest_tokens, engine=engine)
    made: list[Change] = []
    for forms in list(better.values())[:_BETTER]:
        offered = [
            change for one in forms for change in changes_for(one, pools[0], load, engines_for(one, asked, pools[0]))
        ]
        for kind in dict.fromkeys(one.kind for one in offered):
            made.append(min((one for one in offered if one.kind == kind), key=_size_of))
    return tuple(made)


def _size_of(change: Change) -> tuple[float, float]:
    """How much is changed, and of the same the better quality first."""
    return abs(change.after - change.before) / change.before, -(change.quality or 0.0)


def _targeted(request: Request, hardware: Hardware, best: Fit) -> Request:
    """A target where none was named: a cluster's nodes serve on it, one machine with Compose."""
    if request.target != "auto":
        return request
    cluster = isinstance(hardware, Fleet) and hardware.cluster is not None
    return replace(request, target="kubernetes" if cluster or best.machines > 1 else "compose")


def _fleet(hardware: Profile | Fleet) -> Fleet:
    return hardware if isinstance(hardware, Fleet) else Fleet((Machine(hardware.hostname, hardware),))


def _roomiest(fleet: Fleet, names: Iterable[str] = ()) -> Machine | None:
    named = tuple(names)
    among = [one for one in fleet.machines if one.name in named] or list(filter(takes_pods, fleet.machines))
    return max(among, key=lambda one: (one.profile.memory_available_bytes, one.name), default=None)


def _asked_at(hardware: Hardware) -> str | None:
    if isinstance(hardware, Pools):
        return None
    return min((one.profile.asked_at for one in _fleet(hardware).machines if one.profile.asked_at), default=None)


def _judge_request(request: Request) -> None:
    for name, number in (("users", request.users), ("context", request.context_tokens)):
        if number < 1:
            raise InvalidRequest(text("bad-number", name=name, found=number), hint=text("bad-number-hint"))
    for name in ("prompt_tokens", "output_tokens", "max_first_token_s", "min_tokens_per_s", "replicas"):
        given = getattr(request, name)
        if given is not None and given <= 0:
            raise InvalidRequest(text("bad-number", name=name, found=given), hint=text("bad-number-hint"))
    if request.min_quality is not None and not 0 <= request.min_quality <= 100:
        raise InvalidRequest(text("plan-bad-quality", found=request.min_quality), hint=text("plan-bad-quality-hint"))
    for name, value, known in (("--target", request.target, TARGETS), ("--aim", request.aim, AIMS)):
        if value not in known:
            raise InvalidRequest(
                text("bad-target", name=name, found=value), hint=text("bad-target-hint", known=", ".join(known))
            )
    find_industry(request.industry)
    if request.workload is not None:
        find_workload(request.workload)
    if not 1 <= request.port <= 65535:
        raise InvalidRequest(text("bad-port", found=request.port), hint=text("bad-port-hint"))
