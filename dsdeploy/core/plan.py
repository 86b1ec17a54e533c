"""What is wanted, and the plan that answers it: the contract between all commands."""

from collections.abc import Callable
from dataclasses import dataclass, field

from dsdeploy.core.band import Band
from dsdeploy.core.deployment import Deployment
from dsdeploy.core.sizes import size_words
from dsdeploy.core.texts import Text, text


@dataclass(frozen=True, slots=True)
class Request:
    """What the user wants; `model_id` None means the best that fits.

    `users` are people. Without a `workload` all of them ask at once and each may fill `context_tokens`; with one, how
    many ask at once follows from how often they do. `aim` is quality, latency, throughput or cost. `max_first_token_s`
    and `min_tokens_per_s` (one user's) are limits that a candidate must keep at the expected load.
    """

    model_id: str | None
    users: int
    context_tokens: int
    target: str = "process"
    host: str = "127.0.0.1"
    port: int = 8080
    aim: str = "quality"
    workload: str | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    format: str | None = None
    engine: str | None = None
    min_quality: float | None = None
    max_first_token_s: float | None = None
    min_tokens_per_s: float | None = None
    industry: str = "general"
    replicas: int | None = None


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """Host memory of one llama.cpp server, term by term."""

    weights_bytes: int
    kv_cache_bytes: int
    compute_bytes: int
    reserve_bytes: int
    available_bytes: int

    @property
    def needed_bytes(self) -> int:
        return self.weights_bytes + self.kv_cache_bytes + self.compute_bytes + self.reserve_bytes


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """One accelerator's memory, of the fullest; `terms_bytes` is what stands beside weights and cache, by name.

    `kv_cache_tokens` is what the engine will report for one replica (one data-parallel rank of it), `needed_tokens`
    what the load holds there at once.
    """

    device_bytes: int
    weights_bytes: int
    terms_bytes: dict[str, int]
    kv_cache_bytes: int
    kv_cache_tokens: int
    needed_tokens: int


@dataclass(frozen=True, slots=True)
class PlannedSpeed:
    """What the whole service is expected to do when `at_once` requests are answered at the same time."""

    at_once: int
    tokens_per_s_per_user: Band
    output_tokens_per_s: Band | None
    first_token_s: Band | None


@dataclass(frozen=True, slots=True)
class Quality:
    """`score` is GPQA Diamond in percent after the format's loss; `basis` says published, or what it was taken from."""

    score: float
    benchmark_score: float
    recovery: float
    basis: str
    source: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A candidate that lost, with the first rule it breaks and by how much.

    The unit of `needed` and `available` follows from the rule: bytes for memory (of one device) and disk, tokens for
    kv-cache (of one data-parallel rank) and context, seconds for first-token, tokens per second for speed, percent for
    quality; 0 where a rule has no number.
    """

    model_id: str
    format: str
    rule: str
    needed: float
    available: float
    engine: str = ""
    shape: str = ""

    @property
    def amounts(self) -> dict[str, str | Text]:
        """`needed` and `available` in words, with their unit; empty where the rule has no number."""
        if self.rule not in _AMOUNTS:
            return {}
        named = {"needed": self.needed, "available": self.available}
        return {name: _AMOUNTS[self.rule](value) for name, value in named.items()}


def _size(value: float) -> str:
    return size_words(round(value))


def _tokens(value: float) -> Text:
    return text("amount-tokens", amount=f"{value:,.0f}")


def _tokens_per_s(value: float) -> Text:
    return text("amount-tokens-per-s", amount=f"{value:,.1f}")


_AMOUNTS: dict[str, Callable[[float], str | Text]] = {
    "memory": _size,
    "disk": _size,
    "kv-cache": _tokens,
    "context": _tokens,
    "speed": _tokens_per_s,
    "first-token": "{:,.2f} s".format,
    "quality": "{:,.1f} %".format,
    "devices": "{:,.0f}".format,
}


@dataclass(frozen=True, slots=True)
class Remark:
    """What a careful engineer would say: `code` names a message, `values` fill it; said of `times` machines."""

    code: str
    values: dict[str, str] = field(default_factory=dict)
    times: int = 1


@dataclass(frozen=True, slots=True)
class Alternative:
    """A candidate that fits too and ranks lower. `shape` is its parallelism in words, as TP8."""

    model_id: str
    format: str
    engine: str
    accelerator: str
    devices: int
    shape: str
    quality: float | None
    tokens_per_s_per_user: float | None
    output_tokens_per_s: float | None
    first_token_s: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """The smallest change of one thing that would admit a better model: `kind` is devices, nodes, context or users."""

    model_id: str
    format: str
    kind: str
    before: int
    after: int
    quality: float | None


@dataclass(frozen=True, slots=True)
class Idle:
    """Machines of one kind that a plan leaves unused, and the best that they could serve alone under the same request;
    None where they serve nothing of it."""

    accelerator: str
    devices_per_node: int
    hosts: tuple[str, ...]
    best: Alternative | None


@dataclass(frozen=True, slots=True)
class PlannedCost:
    """Money in `currency`, expected and its range; None is unknown, and `missing` are the price keys that would tell.

    `outlay` is paid for accelerators and servers before the first month, `per_month` is everything while the service
    stands; `per_million_output_tokens` shares it over the planned tokens, `per_million_at_capacity` over what the
    hardware could deliver.
    """

    currency: str
    region: str
    rented: bool
    outlay: Band | None
    per_month: Band | None
    per_million_output_tokens: Band | None
    per_million_at_capacity: Band | None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The contract between commands: the choice, its memory and speed, and every candidate that lost.

    `weights_origin` is hub, package or directory; `weights_pattern` is the shell pattern that its files' names match;
    `weights_sha256` pins a single file whose digest is known beforehand. `memory` is what a CPU engine takes of host
    memory, `device_memory` what a replica takes of its devices. `licences` say what each covers
    and its id, as "weights: mit". `hosts` are the machines by name, leader first,
    `device_indices` their free devices by number, where those are not simply the first.
    `hardware_asked_at` is when the profile was taken. `idle` are the machines that serve nothing in it.
    """

    request: Request
    deployment: Deployment
    weights_origin: str
    weights_repo: str
    weights_revision: str | None
    weights_pattern: str
    weights_sha256: str | None
    weights_bytes: int
    engine_arguments: tuple[str, ...]
    memory: MemoryBudget
    disk_path: str
    warnings: tuple[Remark, ...]
    rejected: tuple[Rejected, ...]
    device_memory: DeviceMemory | None = None
    speed: PlannedSpeed | None = None
    quality: Quality | None = None
    licences: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    changes: tuple[Change, ...] = ()
    hardware_asked_at: str | None = None
    device_indices: tuple[tuple[int, ...], ...] = ()
    idle: tuple[Idle, ...] = ()
    cost: PlannedCost | None = None

    @property
    def model_id(self) -> str:
        return self.deployment.model_id

    @property
    def format(self) -> str:
        return self.deployment.format

    @property
    def engine(self) -> str:
        return self.deployment.engine

    @property
    def device(self) -> str:
        return self.deployment.accelerator

    @property
    def users(self) -> int:
        return self.request.users

    @property
    def context_tokens(self) -> int:
        return self.deployment.max_model_len

    @property
    def target(self) -> str:
        return self.request.target

    @property
    def host(self) -> str:
        return self.request.host

    @property
    def port(self) -> int:
        return self.request.port
