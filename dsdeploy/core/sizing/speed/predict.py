"""From passes to what users see: steps, first tokens, totals."""

from dataclasses import replace
from typing import NamedTuple

from dsdeploy.core.band import Band
from dsdeploy.core.sizing.speed.clock import EXPECTED, LEVELS, Clock, Levels
from dsdeploy.core.sizing.speed.constants import MTP_ACCEPTANCE
from dsdeploy.core.sizing.speed.engines import default_batched_tokens, engine_profile
from dsdeploy.core.sizing.speed.hybrid import predict_hybrid
from dsdeploy.core.sizing.speed.refusals import refuse_unusable
from dsdeploy.core.sizing.speed.roofline import Pass, time_pass
from dsdeploy.core.sizing.speed.shape import shape_of
from dsdeploy.core.sizing.speed.values import Pace, SpeedEstimate, SpeedRequest, bound_of


def predict_speed(request: SpeedRequest) -> SpeedEstimate:
    """Speed of this service. Raises InvalidRequest for impossible numbers, SpeedUnknown where a figure is missing."""
    return ServingSpeed(request).estimate(request.concurrency)


class _Steady(NamedTuple):
    """Seconds of one step, of a whole answer with the prompts read beside it, and to a first token."""

    step_s: float
    cycle_s: float
    first_s: float


class ServingSpeed:
    """One engine, one model, one way of splitting it, timed for any number of users: what they do not change is worked
    out once. The request's own `concurrency` is not read.
    """

    def __init__(self, request: SpeedRequest) -> None:
        """Raises InvalidRequest for impossible numbers, SpeedUnknown where a figure is missing."""
        refuse_unusable(request)
        self._request = request
        self._shape = shape_of(request.architecture)
        self._vendor = request.accelerator.vendor if request.accelerator else None
        self._engine = engine_profile(request.engine, request.engine_version, vendor=self._vendor)
        self._passes: dict[float, Levels] = {}

    def pace(self, users: int) -> Pace:
        """What one of so many users sees, expected: a part of `estimate`, for a fraction of its work."""
        if self._request.engine == "llama.cpp":
            whole = self.estimate(users)
            return Pace(whole.ttft_s.expected if whole.ttft_s else None, whole.decode_tokens_per_s_per_user.expected)
        step, kept = self.decode_step(users, explain=False)
        prompt_s = self.read_prompts(users, _arriving(self._request, users))
        steady = self._steady(users, step, kept, prompt_s, EXPECTED)
        return Pace(steady.first_s, 1 / steady.step_s)

    def estimate(self, users: int) -> SpeedEstimate:
        request, out = self._request, self._request.output_tokens
        if request.engine == "llama.cpp":
            return predict_hybrid(replace(request, concurrency=users))
        step, kept = self.decode_step(users)
        waiting_s, all_s = self.read_prompts(users, _arriving(request, users)), self.read_prompts(users, users)
        alone_s = self.read_prompts(1, 1)
        per_user, total, served, rate, first, burst = [], [], [], [], [], []
        for level in range(len(LEVELS)):
            steady = self._steady(users, step, kept, waiting_s, level)
            per_user.append(1 / steady.step_s)
            total.append(users / steady.step_s)
            served.append(users * out / steady.cycle_s)
            rate.append(users * request.prompt_tokens / all_s[level])
            first.append(steady.first_s)
            burst.append(max(alone_s[level], all_s[level]))
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

    def decode_step(self, users: int, *, explain: bool = True) -> tuple[Clock, Levels]:
        """One step of so many users, halfway through the answers, and the tokens it yields per user (MTP: over 1)."""
        request, shape, drafts = self._request, self._shape, self._request.mtp_draft_tokens
        # Stages work on different groups of users at the same moment, so one step carries a share of them.
        share = max(1.0, users / (request.dp * request.pp))
        context = request.prompt_tokens + request.output_tokens / 2
        engine = engine_profile(request.engine, request.engine_version, drafts > 0, self._vendor)
        step = time_pass(request, shape, engine, Pass(share * (1 + drafts), share, context, prefill=False), explain)
        if not drafts:
            return step, (1.0, 1.0, 1.0)
        # Each draft runs one more layer, after which the host must look at what was kept.
        for level_name, values in list(step.seconds.items()):
            if not level_name.startswith("host"):
                step.seconds[level_name] = _scaled(values, 1 + drafts / shape.layers)
        known = request.mtp_acceptance
        spread = (
            (known,) * 3 if known is not None else (MTP_ACCEPTANCE.low, MTP_ACCEPTANCE.expected, MTP_ACCEPTANCE.high)
        )
        kept = [sum(chance**drafted for drafted in range(drafts + 1)) for chance in spread]
        return step, (kept[0], kept[1], kept[2])

    def read_prompts(self, users: int, prompts: int) -> Levels:
        """Seconds, per level, in which the devices read so many prompts that wait at the same moment, among so many
        users.

        A pass takes `max_num_batched_tokens` per attention replica. Where prompts share passes with answers under way,
        each costs its part of a full pass; where they have passes of their own, a short pass still reads all the
        weights.
        """
        request, spec = self._request, self._request.accelerator
        assert spec is not None
        budget = request.max_num_batched_tokens or default_batched_tokens(request.engine, spec, request.dp)
        prompt = request.prompt_tokens
        replicas = min(request.dp, prompts)
        tokens = prompts * prompt / replicas
        others = max(1, users // request.dp) if self._engine.mixed else 0
        one_pass = min(float(budget), max(tokens, others * prompt if prompts > 1 or others > 1 else tokens))
        # Stages read different chunks at the same moment, once there are enough of them.
        passes = tokens / one_pass / min(request.pp, max(1.0, tokens / one_pass))
        return _scaled(self._prefill_s(one_pass), passes)

    def _prefill_s(self, tokens: float) -> Levels:
        """One pass over so many tokens of prompts: full ones are alike, however many users wait."""
        if tokens not in self._passes:
            prompt = self._request.prompt_tokens
            work = Pass(tokens, max(1.0, tokens / prompt), prompt / 2, prefill=True)
            timing = time_pass(self._request, self._shape, self._engine, work, explain=False)
            self._passes[tokens] = timing.total(0), timing.total(1), timing.total(2)
        return self._passes[tokens]

    def _steady(self, users: int, step: Clock, kept: Levels, waiting_s: Levels, level: int) -> _Steady:
        step_s = step.total(level) / kept[level]
        prompt_s = waiting_s[level] / _arriving(self._request, users)
        # In steady traffic every user pays for one prompt of each other user per answer: the passes share the devices.
        cycle_s = self._request.output_tokens * step_s + users * prompt_s
        undisturbed_s = self.read_prompts(1, 1)[level]
        return _Steady(step_s, cycle_s, undisturbed_s + step_s / 2 + _queue_s(prompt_s, users, cycle_s))


def _arriving(request: SpeedRequest, users: int) -> int:
    """So many users finish, and so many prompts arrive, between two steps."""
    return max(1, round(users / request.output_tokens))


def _queue_s(prompt_s: float, users: int, cycle_s: float) -> float:
    """Mean wait behind other prompts: one server, fixed service time (Pollaczek and Khinchine), busy `load` of it."""
    load = min(0.95, (users - 1) * prompt_s / cycle_s)
    return load * prompt_s / (2 * (1 - load))


def _scaled(values: Levels, by: float) -> Levels:
    return values[0] * by, values[1] * by, values[2] * by


def _band(values: list[float]) -> Band:
    return Band(*values)
