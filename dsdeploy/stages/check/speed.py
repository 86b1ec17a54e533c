"""How fast, for one user and for all planned ones? Judged against nothing as long as a plan predicts no speed."""

from dsdeploy.core.percentiles import percentile
from dsdeploy.core.texts import text
from dsdeploy.stages.check.subject import Outcome, Subject, passed

_ROUNDS = 6
_OUTPUT_TOKENS = 24


def first_token(subject: Subject) -> Outcome:
    load = subject.loads.run(1, _ROUNDS, _OUTPUT_TOKENS)
    firsts = [one.first_s * 1000 for one in load.samples]
    measured = f"p50 {percentile(firsts, 50):,.0f} ms, p95 {percentile(firsts, 95):,.0f} ms"
    return passed(text("check-first-token", count=len(firsts)), measured=measured)


def token_rate(subject: Subject) -> Outcome:
    load = subject.loads.run(1, _ROUNDS, _OUTPUT_TOKENS)
    rates = [one.tokens_per_s for one in load.samples if one.tokens_per_s is not None]
    message = text("check-token-rate", count=len(rates), overhead=f"{load.client_cpu_s_per_token * 1e6:,.0f}")
    measured = f"p50 {percentile(rates, 50):,.1f} tokens/s, p5 {percentile(rates, 5):,.1f}" if rates else None
    return passed(message, measured=measured)


def users_served(subject: Subject) -> Outcome:
    users = subject.release.users
    load = subject.loads.run(users, 1, _OUTPUT_TOKENS)
    slowest = max(one.first_s for one in load.samples) * 1000
    measured = f"{len(load.samples)}: {load.tokens_per_s:,.1f} tokens/s, TTFT ≤ {slowest:,.0f} ms"
    return passed(text("check-users-served", users=users), measured=measured, limit=f"{users}")
