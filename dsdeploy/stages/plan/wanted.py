"""What was said on the command line: flags over a request file over the defaults."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dsdeploy.core.plan import Request

DEFAULTS = Request(model_id=None, users=1, context_tokens=4096, target="auto")


@dataclass(frozen=True, slots=True)
class Wanted:
    """`flags` holds what was given, by the request's field names. A profile older than `oldest_days` is refused.
    Machines on which the plans `beside` stand are left alone."""

    flags: dict[str, Any] = field(default_factory=dict)
    file: Path | None = None
    oldest_days: int | None = None
    beside: tuple[Path, ...] = ()

    def over(self, request: Request | None) -> Request:
        return replace(request or DEFAULTS, **{name: one for name, one in self.flags.items() if one is not None})


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
