"""What a request asks of a service at its busiest: tokens in, tokens out, how many at once."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from dsdeploy.core.plan import Request
from dsdeploy.core.workloads import concurrency, find_workload

_FEW = 4  # users at once for whom a processor reads experts fast enough
_NEAR = 0.8  # of a workload's wish, a round number: no prediction of speed is surer than that (docs/sizing.md)
_SETTLED = 12  # rounds until the number at once and the time an answer takes agree


@dataclass(frozen=True, slots=True)
class Load:
    """`held_tokens` is what one request under way holds in the cache, `longest_tokens` the context that one may fill.

    `requests_per_hour` is each user's, None where all users ask at once. Limits are None where nobody set one;
    `wished` limits come from a workload: a plan keeps them if any candidate can. `offload` is whether experts may be
    left in host memory: for few users, or for who names the model; then only `offload_at_last` where there are wishes,
    and never where there are limits, for nobody knows how fast it is.
    """

    users: int
    longest_tokens: int
    held_tokens: int
    prompt_tokens: int
    output_tokens: int
    requests_per_hour: float | None = None
    first_token_s: float | None = None
    tokens_per_s: float | None = None
    wished_first_token_s: float | None = None
    wished_tokens_per_s: float | None = None
    offload: bool = False
    offload_at_last: bool = False

    def needed_tokens(self, at_once: int) -> int:
        """What the cache of one data-parallel rank must hold: one full context, and what the others hold."""
        return self.longest_tokens + (max(1, at_once) - 1) * self.held_tokens

    def without_wishes(self) -> "Load":
        return replace(
            self,
            wished_first_token_s=None,
            wished_tokens_per_s=None,
            offload=self.offload or self.offload_at_last,
        )

    def eased(self) -> "Load":
        """With wishes that count as kept where they are nearly."""
        rate, first = self.wished_tokens_per_s, self.wished_first_token_s
        return replace(
            self,
            wished_tokens_per_s=rate * _NEAR if rate else None,
            wished_first_token_s=first / _NEAR if first else None,
        )


def load_of(request: Request) -> Load:
    """Raises UnknownWorkload."""
    longest = request.context_tokens
    timed = request.max_first_token_s is not None or request.min_tokens_per_s is not None
    offload = not timed and (request.model_id is not None or request.users <= _FEW)
    if request.workload is None:
        output = min(request.output_tokens or 512, max(1, longest - 1))
        prompt = min(request.prompt_tokens or max(1, longest - output), max(1, longest - output))
        named = request.prompt_tokens is not None
        held = min(longest, prompt + output) if named else longest
        if not named:
            prompt = min(prompt, 1024)
        return Load(
            request.users, longest, held, prompt, output,
            first_token_s=request.max_first_token_s, tokens_per_s=request.min_tokens_per_s, offload=offload,
        )  # fmt: skip
    work = find_workload(request.workload)
    output = min(request.output_tokens or work.output_tokens.mean, max(1, longest - 1))
    prompt = min(request.prompt_tokens or work.prompt_tokens.mean, max(1, longest - output))
    return Load(
        request.users, longest, min(longest, prompt + output), prompt, output,
        requests_per_hour=work.requests_per_user_per_hour,
        first_token_s=request.max_first_token_s, tokens_per_s=request.min_tokens_per_s,
        offload=offload and request.users <= _FEW, offload_at_last=offload,
        wished_first_token_s=None if request.max_first_token_s else work.first_token_s,
        wished_tokens_per_s=None if request.min_tokens_per_s else work.tokens_per_s_per_user,
    )  # fmt: skip


def settle(load: Load, service_s: Callable[[int], float]) -> int:
    """How many requests are under way at once (99 % of the time no more), given how long one takes among so many.

    More at once makes each slower, and slower answers are more at once: repeated until both agree. The answer is the
    last number tried where they do not, which a speed or cache rule then refuses.
    """
    if load.requests_per_hour is None:
        return load.users
    at_once = 1
    for _ in range(_SETTLED):
        found = min(load.users, concurrency(load.users, load.requests_per_hour, service_s(at_once)))
        if found <= at_once:
            return at_once
        at_once = found
    return load.users
