"""From passes to what users see: steps, first tokens, totals."""

from dataclasses import replace

from dsdeploy.core.band import Band
from dsdeploy.core.sizing.speed.clock import LEVELS, Clock, Levels
from dsdeploy.core.sizing.speed.constants import MTP_ACCEPTANCE
from dsdeploy.core.sizing.speed.engines import default_batched_tokens, engine_profile
from dsdeploy.core.sizing.speed.hybrid import predict_hybrid
from dsdeploy.core.sizing.speed.refusals import refuse_unusable
from dsdeploy.core.sizing.speed.roofline import Pass, time_pass
from dsdeploy.core.sizing.speed.shape import shape_of
from dsdeploy.core.sizing.speed.values import SpeedEstimate, SpeedRequest, bound_of


def predict_speed(request: SpeedRequest) -> SpeedEstimate:
    """Speed of this service. Raises InvalidRequest for impossible numbers, SpeedUnknown where a figure is missing."""
    refuse_unusable(request)
    if request.engine == "llama.cpp":
        return predict_hybrid(request)
    step, kept = decode_step(request)
    users, out = request.concurrency, request.output_tokens
    # So many users finish, and so many prompts arrive, between two steps.
    arriving = max(1, round(users / out))
    waiting_s, all_s = read_prompts(request, arriving), read_prompts(request, users)
    own_s = read_prompts(replace(request, concurrency=1), 1)
    per_user, total, served, rate, first, burst = [], [], [], [], [], []
    for level in range(len(LEVELS)):
        step_s = step.total(level) / kept[level]
        prompt_s = waiting_s[level] / arriving
        per_user.append(1 / step_s)
        total.append(users / step_s)
        # In steady traffic every user pays for one prompt of each other user per answer: the passes share the devices.
        cycle_s = out * step_s + users * prompt_s
        served.append(users * out / cycle_s)
        rate.append(users * request.prompt_tokens / all_s[level])
        first.append(own_s[level] + step_s / 2 + _queue_s(prompt_s, users, cycle_s))
        burst.append(max(own_s[level], all_s[level]))
    return SpeedEstimate(
        _band(per_user),
        _band(total),
        _band(served),
        _band(rate),
        _band(first),
        _band(burst),
        step.terms,
        bound_of(step.terms),
    )


def decode_step(request: SpeedRequest) -> tuple[Clock, Levels]:
    """One step at full concurrency, halfway through the answers, and the tokens it yields per user (MTP: over 1)."""
    drafts = request.mtp_draft_tokens
    # Stages work on different groups of users at the same moment, so one step carries a share of them.
    users = max(1.0, request.concurrency / (request.dp * request.pp))
    context = request.prompt_tokens + request.output_tokens / 2
    shape, engine = shape_of(request.architecture), engine_profile(request.engine, request.engine_version, drafts > 0)
    step = time_pass(request, shape, engine, Pass(users * (1 + drafts), users, context, prefill=False))
    if not drafts:
        return step, (1.0, 1.0, 1.0)
    # Each draft runs one more layer, after which the host must look at what was kept.
    for level_name, values in list(step.seconds.items()):
        if not level_name.startswith("host"):
            step.seconds[level_name] = _scaled(values, 1 + drafts / shape.layers)
    chance = request.mtp_acceptance
    spread = (chance,) * 3 if chance is not None else (MTP_ACCEPTANCE.low, MTP_ACCEPTANCE.expected, MTP_ACCEPTANCE.high)
    kept = [sum(chance**drafted for drafted in range(drafts + 1)) for chance in spread]
    return step, (kept[0], kept[1], kept[2])


def read_prompts(request: SpeedRequest, prompts: int) -> Levels:
    """Seconds, per level, in which the devices read so many prompts that wait at the same moment.

    A pass takes `max_num_batched_tokens` per attention replica. Where prompts share passes with answers under way, each
    costs its part of a full pass; where they have passes of their own, a short pass still reads all the weights.
    """
    spec = request.accelerator
    assert spec is not None
    budget = request.max_num_batched_tokens or default_batched_tokens(request.engine, spec, request.dp)
    shape, engine = shape_of(request.architecture), engine_profile(request.engine, request.engine_version)
    prompt = request.prompt_tokens
    replicas = min(request.dp, prompts)
    tokens = prompts * prompt / replicas
    others = max(1, request.concurrency // request.dp) if engine.mixed else 0
    one_pass = min(float(budget), max(tokens, others * prompt if prompts > 1 or others > 1 else tokens))
    timing = time_pass(request, shape, engine, Pass(one_pass, max(1.0, one_pass / prompt), prompt / 2, prefill=True))
    # Stages read different chunks at the same moment, once there are enough of them.
    passes = tokens / one_pass / min(request.pp, max(1.0, tokens / one_pass))
    return timing.total(0) * passes, timing.total(1) * passes, timing.total(2) * passes


def _queue_s(prompt_s: float, users: int, cycle_s: float) -> float:
    """Mean wait behind other prompts: one server, fixed service time (Pollaczek and Khinchine), busy `load` of it."""
    load = min(0.95, (users - 1) * prompt_s / cycle_s)
    return load * prompt_s / (2 * (1 - load))


def _scaled(values: Levels, by: float) -> Levels:
    return values[0] * by, values[1] * by, values[2] * by


def _band(values: list[float]) -> Band:
    return Band(*values)
