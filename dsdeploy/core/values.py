"""The values that flow between stages: frozen, serialisable, units in the names, unknown is None."""

from dataclasses import dataclass

from dsdeploy.core.comparison import FindingChange as FindingChange
from dsdeploy.core.findings import Finding as Finding
from dsdeploy.core.machines import Accelerator as Accelerator
from dsdeploy.core.machines import ContainerRuntime as ContainerRuntime
from dsdeploy.core.machines import Disk as Disk
from dsdeploy.core.machines import Profile as Profile
from dsdeploy.core.plan import MemoryBudget as MemoryBudget
from dsdeploy.core.plan import Plan as Plan
from dsdeploy.core.plan import PlannedSpeed as PlannedSpeed
from dsdeploy.core.plan import Rejected as Rejected
from dsdeploy.core.plan import Request as Request
from dsdeploy.core.texts import Text


@dataclass(frozen=True, slots=True)
class WeightFile:
    """`name` is relative to the weights' directory, with forward slashes."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Weights:
    """A model's files on this machine, each with the digest that its source promised."""

    model_id: str
    format: str
    source: str
    revision: str | None
    directory: str
    files: tuple[WeightFile, ...]

    @property
    def main_file(self) -> str:
        """The file an engine is pointed at: the only one, or the first part of a split GGUF."""
        return self.files[0].name


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """`path` is relative to the release's folder; `mode` are its permission bits."""

    path: str
    content: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class RenderedFiles:
    target: str
    files: tuple[RenderedFile, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing to do. `action` is a word its target knows; `arguments` say to what, and describe it to a person."""

    action: str
    arguments: dict[str, str]

    @property
    def text(self) -> Text:
        return Text(f"operation-{self.action}", dict(self.arguments))


@dataclass(frozen=True, slots=True)
class Release:
    """What is installed: `state` is installing, installed, candidate (beside
    another one until that is upgraded), upgrading, rolling-back or uninstalling. While upgrading, `good_revision` is
    what ran before."""

    name: str
    target: str
    model_id: str
    format: str
    context_tokens: int
    users: int
    host: str
    port: int
    plan_sha256: str
    folder: str
    weights: Weights
    revision: int
    state: str
    installed_at: str
    good_revision: int | None = None

    @property
    def url(self) -> str:
        scheme = "http" if self.target == "process" else "https"
        return f"{scheme}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Revision:
    """A release that was good, with everything that was rendered for it."""

    release: Release
    rendered: RenderedFiles


@dataclass(frozen=True, slots=True)
class Service:
    """What a target sees of a release now: `state` is running, starting, restarting, stopped, failed or unknown."""

    state: str
    engine_pid: int | None
    restarts: int
    log_tail: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Workload:
    """One process or container as it really runs, not as it was asked to; None is unknown.

    `image` is its id or digest, `argv` the whole command line, `environment` may hold secrets and is never shown.
    `capabilities` are Linux capabilities by name, without those that are only allowed and not held.
    """

    name: str
    image: str | None
    argv: tuple[str, ...]
    environment: dict[str, str]
    uids: tuple[int, ...]
    capabilities: tuple[str, ...] | None
    no_new_privileges: bool | None
    read_only_root: bool | None


@dataclass(frozen=True, slots=True)
class Installed:
    """What an install or uninstall came to. `changed` is false when there was nothing to do, or it was only shown."""

    release: Release
    changed: bool
    preflight: tuple[Finding, ...]
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """`fault` says why its target could not be asked; the service's state is then unknown."""

    release: Release
    service: Service
    fault: Text | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch came to: `weights` is None when it was only shown."""

    weights: Weights | None
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One streamed answer: seconds from the request to its first and last token."""

    first_s: float
    last_s: float
    output_tokens: int

    @property
    def tokens_per_s(self) -> float | None:
        """The rate after the first token; None for an answer too short to have one."""
        took_s = self.last_s - self.first_s
        return (self.output_tokens - 1) / took_s if self.output_tokens > 1 and took_s > 0 else None


@dataclass(frozen=True, slots=True)
class Load:
    """What `at_once` users together measured; `client_cpu_s` is what measuring itself took of a processor."""

    at_once: int
    samples: tuple[Sample, ...]
    took_s: float
    client_cpu_s: float

    @property
    def tokens_per_s(self) -> float:
        """All users' tokens over the whole time, prompts included."""
        return sum(one.output_tokens for one in self.samples) / self.took_s if self.took_s else 0.0

    @property
    def client_cpu_s_per_token(self) -> float:
        return self.client_cpu_s / max(1, sum(one.output_tokens for one in self.samples))


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check came to: `verdict` is pass, warn or fail; `loads` is what the speed checks measured,
    `predicted` what the plan says of them. `industry` is whose rules the report is read by, `changes`
    what differs from an earlier report; `only_before` and `only_after` are ids that only one of the two ran."""

    release: Release
    verdict: str
    findings: tuple[Finding, ...]
    loads: tuple[Load, ...]
    checked_at: str
    took_s: float
    tool_version: str
    predicted: PlannedSpeed | None = None
    industry: str = "general"
    changes: tuple[FindingChange, ...] = ()
    only_before: tuple[str, ...] = ()
    only_after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What an upgrade or rollback came to: `release` is what runs now, `before` what ran. `mode` is beside or in-place.

    `checked` is what the gate found, None where nothing was checked; `restored` says that the new one did not pass.
    """

    release: Release
    before: Release
    changed: bool
    mode: str
    operations: tuple[Operation, ...]
    checked: Checked | None
    restored: bool


@dataclass(frozen=True, slots=True)
class Packed:
    """A support bundle: the names in it, and how many secrets were taken out."""

    path: str
    size_bytes: int
    files: tuple[str, ...]
    redacted: int
