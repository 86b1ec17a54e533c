"""What a target promises: a place where a rendered service can run."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from dsdeploy.core.keys import ApiKey
from dsdeploy.core.values import Finding, Operation, Plan, Release, RenderedFile, RenderedFiles, Service, Workload


class Target(Protocol):
    """A place where services run: this machine's processes, a Docker Engine.

    Every method may be called again after any interruption. A target keeps nothing of its own but what lies in the
    release's folder and what the place itself remembers, so that `pending` always tells the truth.
    """

    name: str
    log_parts: tuple[str, ...]

    def preflight(self, release: Release) -> tuple[Finding, ...]:
        """What would stop `release` from starting here: runtime missing or refused, port taken. Changes nothing."""
        ...

    def rehearse(self, release: Release, rendered: RenderedFiles) -> tuple[Finding, ...]:
        """What the place says of exactly these files before anything is made of them. Changes nothing."""
        ...

    def pending(self, release: Release, rendered: RenderedFiles) -> tuple[Operation, ...]:
        """What is still to be done, in order, until `release` runs as rendered; nothing when it already does."""
        ...

    def apply(self, operation: Operation, release: Release, rendered: RenderedFiles) -> None:
        """Does one operation. Raises an InstallError."""
        ...

    def observe(self, release: Release) -> Service:
        """What runs now, with the last lines of the engine's log."""
        ...

    def take_keys(self, release: Release, keys: tuple[ApiKey, ...]) -> None:
        """Lets what runs take the keys on disk, and returns when they are in force. Raises InstallError."""
        ...

    def removal(self, release: Release) -> tuple[Operation, ...]:
        """What `uninstall` has to do here, in order; never touches weights."""
        ...

    def reach(self, release: Release) -> AbstractContextManager[Release]:
        """The release as it can be asked from here while the block lasts: its host and port. Raises an InstallError."""
        ...

    def workloads(self, release: Release) -> tuple[Workload, ...]:
        """How each process, container or pod of it really runs and is confined, the engine first; none when down."""
        ...

    def logs(
        self, release: Release, lines: int, *, follow: bool = False, since_s: int | None = None, part: str = "engine"
    ) -> Iterator[str]:
        """The last `lines` of the log of one of `log_parts`, oldest first, without line ends; then, to `follow`, what
        comes. `since_s` leaves out what is older. Raises InvalidRequest where lines have no date."""
        ...

    def has_room(self, plan: Plan) -> bool:
        """Whether a second service, as `plan` says, can run beside what runs now; False where that is not known."""
        ...

    def run_inside(self, release: Release, code: str) -> str | None:
        """What a few lines of Python print inside the engine's container, None where nothing can be run there."""
        ...

    def crash(self, release: Release) -> None:
        """Ends the engine as a crash would, so that it can be seen to return. Raises an InstallError."""
        ...

    def evidence(self, release: Release) -> tuple[RenderedFile, ...]:
        """What helps somebody elsewhere understand this place, as files for a support bundle; may hold secrets."""
        ...
