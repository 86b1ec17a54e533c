"""What was said on the command line: flags over a request file over what follows from them and the defaults."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dsdeploy.core.plan import Request
from dsdeploy.core.workloads import find_workload

DEFAULTS = Request(model_id=None, users=1, context_tokens=4096, target="auto")
_STEP_TOKENS = 1024  # a round number, as people write contexts


@dataclass(frozen=True, slots=True)
class Wanted:
    """`flags` holds what was given, by the request's field names. A profile older than `oldest_days` is refused.
    Machines on which the plans `beside` stand are left alone."""

    flags: dict[str, Any] = field(default_factory=dict)
    file: Path | None = None
    oldest_days: int | None = None
    beside: tuple[Path, ...] = ()

    def over(self, filed: dict[str, Any]) -> Request:
        """`filed` are the fields of a request file. Raises UnknownWorkload."""
        given = filed | {name: one for name, one in self.flags.items() if one is not None}
        request = replace(DEFAULTS, **given)
        if given.get("context_tokens") is None:
            request = replace(request, context_tokens=fitting_context(request))
        return request


@dataclass(frozen=True, slots=True)
class Bought:
    """Hardware that is not there yet: `count` accelerators in each of `nodes` nodes, or what `budget` buys of them, of
    any where `accelerator` is None. None is as the catalogue says."""

    accelerator: str | None
    count: int
    nodes: int
    device_bytes: int | None = None
    host_bytes: int | None = None
    budget: float | None = None


@dataclass(frozen=True, slots=True)
class Pricing:
    """`file` holds the user's own prices; `rented` prices rent, not purchase."""

    file: Path | None = None
    rented: bool = False
    region: str = "cn"


def fitting_context(request: Request) -> int:
    """What holds the longest requests: 95 of 100 of a workload's, or the lengths that are named. Raises
    UnknownWorkload."""
    longest = longest_request(request)
    return max(DEFAULTS.context_tokens, -(-longest // _STEP_TOKENS) * _STEP_TOKENS)


def longest_request(request: Request) -> int:
    """In tokens, prompt and answer; 0 where nothing says. Raises UnknownWorkload."""
    work = find_workload(request.workload) if request.workload else None
    prompt = request.prompt_tokens or (work.prompt_tokens.p95 if work else 0)
    return prompt + (request.output_tokens or (work.output_tokens.p95 if work else 0))
