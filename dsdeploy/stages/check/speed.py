"""How fast, for one user and for all planned ones, against the plan's band?"""

from dsdeploy.adapters.endpoint import PATIENT, Waits, waits_for
from dsdeploy.adapters.load import Shape
from dsdeploy.core.band import Band
from dsdeploy.core.percentiles import Spread, percentile, spread
from dsdeploy.core.plan import Plan
from dsdeploy.core.texts import text
from dsdeploy.core.values import Load
from dsdeploy.stages.check.subject import Outcome, Subject, failed, passed, skipped

_OUTPUT_TOKENS, _MOST_OUTPUT_TOKENS = 24, 128
_PROMPT_TOKENS = 16
_STEPS = (1, 8, 32, 128, 512)
_LATE = 3  # times the slowest prediction: later than that is not measured, it is a service that does not answer


def shape_of(plan: Plan | None) -> Shape:
    """The plan's own lengths, where it names them; answers no longer than is needed for a steady rate."""
    request = None if plan is None else plan.request
    asked = request.output_tokens if request and request.output_tokens else _OUTPUT_TOKENS
    prompt = request.prompt_tokens if request and request.prompt_tokens else _PROMPT_TOKENS
    return Shape(prompt, min(asked, _MOST_OUTPUT_TOKENS))


def waits_of(plan: Plan | None, shape: Shape) -> Waits:
    """A first token that the plan itself predicts late, for many users at once, is waited for."""
    speed = None if plan is None else plan.speed
    if plan is None or speed is None or speed.first_token_s is None:
        return waits_for(shape.output_tokens)
    band = speed.first_token_s
    crowd = max(1.0, plan.request.users / speed.at_once)
    return waits_for(shape.output_tokens, first_s=max(PATIENT.byte_s, _LATE * crowd * max(band.low, band.high)))


def first_token(subject: Subject) -> Outcome:
    load = _at_planned(subject)
    seen = spread([one.first_s * 1000 for one in load.samples], 50)
    tail = percentile([one.first_s * 1000 for one in load.samples], 95)
    measured = f"p50 {_shown(seen)} ms, p95 {tail:,.0f} ms"
    band = subject.plan.speed.first_token_s if subject.plan and subject.plan.speed else None
    if band is None:
        return skipped(text("check-first-token", count=len(load.samples)), measured=measured)
    quickest, slowest = sorted((band.low * 1000, band.high * 1000))
    limit = f"{quickest:,.0f} … {slowest:,.0f} ms"
    if seen.low > slowest:
        return failed(text("check-first-token-late"), text("check-slow-hint"), measured=measured, limit=limit)
    return passed(text("check-first-token-kept", users=load.at_once), measured=measured, limit=limit)


def token_rate(subject: Subject) -> Outcome:
    load = _at_planned(subject)
    rates = [one.tokens_per_s for one in load.samples if one.tokens_per_s is not None]
    overhead = f"{load.client_cpu_s_per_token * 1e6:,.0f}"
    seen = spread(rates, 50) if rates else None
    measured = f"p50 {_shown(seen)} tokens/s/user, p5 {percentile(rates, 5):,.1f}" if seen else None
    band = subject.plan.speed.tokens_per_s_per_user if subject.plan and subject.plan.speed else None
    if band is None or seen is None:
        return skipped(text("check-token-rate", count=len(rates), overhead=overhead), measured=measured)
    return _judge(seen, band, "tokens/s/user", measured, load)


def users_served(subject: Subject) -> Outcome:
    users = subject.release.users
    load = subject.loads.run(users)
    slowest = max(one.first_s for one in load.samples) * 1000
    measured = f"{load.at_once}: {load.tokens_per_s:,.1f} tokens/s, TTFT ≤ {slowest:,.0f} ms"
    return passed(text("check-users-served", users=users), measured=measured, limit=f"{users}")


def throughput(subject: Subject) -> Outcome:
    """All steps are measured, for the curve; the planned number at once is judged."""
    loads = [subject.loads.run(step) for step in steps(subject)]
    measured = ", ".join(f"{one.at_once}: {one.tokens_per_s:,.1f}" for one in loads) + " tokens/s"
    speed = subject.plan.speed if subject.plan else None
    if speed is None or speed.output_tokens_per_s is None:
        return skipped(text("check-throughput"), measured=measured)
    load = _at_planned(subject)
    total = Spread(load.tokens_per_s, load.tokens_per_s, load.tokens_per_s)
    return _judge(total, speed.output_tokens_per_s, "tokens/s", measured, load)


def steps(subject: Subject) -> tuple[int, ...]:
    """1, 8, 32 … below the planned users, and these themselves."""
    return (*(one for one in _STEPS if one < subject.release.users), subject.release.users)


def _judge(seen: Spread, band: Band, unit: str, measured: str | None, load: Load) -> Outcome:
    limit = f"{band.low:,.1f} … {band.high:,.1f} {unit}"
    if seen.high < band.low:
        return failed(text("check-slower"), text("check-slow-hint"), measured=measured, limit=limit)
    if seen.low > band.high:
        return passed(text("check-faster", users=load.at_once), measured=measured, limit=limit)
    return passed(text("check-speed-kept", users=load.at_once), measured=measured, limit=limit)


def _at_planned(subject: Subject) -> Load:
    """As many at once as the prediction is for; one where there is none."""
    speed = subject.plan.speed if subject.plan else None
    at_once = min(speed.at_once, subject.release.users) if speed else 1
    return subject.loads.run(at_once)


def _shown(seen: Spread) -> str:
    return f"{seen.value:,.1f} ({seen.low:,.1f} … {seen.high:,.1f})"
