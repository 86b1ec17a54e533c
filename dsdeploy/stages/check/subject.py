"""What every check gets and gives."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import psutil

from dsdeploy.adapters.chat import Chat, Question, Reply
from dsdeploy.adapters.endpoint import Endpoint
from dsdeploy.adapters.fabric import STREAM_S, measure_paths, pairs_of
from dsdeploy.adapters.host import detect_machine
from dsdeploy.adapters.inventory import Host
from dsdeploy.adapters.targets.base import Target
from dsdeploy.core import catalogue
from dsdeploy.core.fabric import NodePath
from dsdeploy.core.health import judge_profile
from dsdeploy.core.layout import KEYS_FILE
from dsdeploy.core.progress import Progress
from dsdeploy.core.questions import QualityQuestion
from dsdeploy.core.texts import Text, text
from dsdeploy.core.values import Plan, Profile, Release, RenderedFiles, Service, Workload
from dsdeploy.stages.check.loads import Loads

COUNT = Question("Count from one to five.", 24)
_LOG_LINES = 20_000


@dataclass(frozen=True)
class Subject:
    """The release under examination. `plan` is None where its file cannot be used, `key` where there is none.

    `hosts` are the machines between which the network may be measured; none unless the user named them. `render` makes
    anew what the plan beside the release stands for. What is dear to ask is asked once and kept for the other checks.
    """

    release: Release
    plan: Plan | None
    key: str | None
    target: Target
    endpoint: Endpoint
    chat: Chat
    loads: Loads
    progress: Progress
    hosts: tuple[Host, ...] = ()
    render: Callable[[], RenderedFiles] | None = None
    replies: list[tuple[QualityQuestion, Reply]] = field(default_factory=list)

    @property
    def keys_file(self) -> Path:
        return Path(self.release.folder) / KEYS_FILE

    @property
    def is_smoke(self) -> bool:
        """Whether the small model is served, which promises no quality."""
        return bool(self.release.model_id == catalogue.smoke()["model"]["id"])

    @cached_property
    def service(self) -> Service:
        """Raises an InstallError where the target cannot be asked."""
        return self.target.observe(self.release)

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """Raises an InstallError where the target cannot be asked."""
        return self.target.workloads(self.release)

    @cached_property
    def log(self) -> tuple[str, ...]:
        """The last lines of the engine's log."""
        return tuple(self.target.logs(self.release, _LOG_LINES))

    @cached_property
    def machine(self) -> Profile:
        """This machine with what is wrong with it. Raises a ProfileError."""
        return judge_profile(detect_machine())

    @cached_property
    def counted(self) -> Reply:
        """The answer to COUNT, asked once for all checks that begin with one. Raises NoAnswer."""
        return self.chat.reply(COUNT)

    @cached_property
    def paths(self) -> tuple[NodePath, ...]:
        """The ways between `hosts`; a load on their network of some seconds each, which progress announces."""
        count = len(pairs_of(self.hosts))
        self.progress.begin(text("measuring-paths", count=count, seconds=f"{STREAM_S:g}", total=f"{count * 4}"))
        return measure_paths(self.hosts, lambda path: self.progress.begin(text("measured-path", path=path)))

    @property
    def engine_process(self) -> psutil.Process | None:
        """The engine, where it is a process that this machine sees."""
        pid = self.service.engine_pid
        try:
            return None if pid is None else psutil.Process(pid)
        except psutil.Error:
            return None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finding without its id, which only the list of checks knows."""

    status: str
    message: Text
    hint: Text | None = None
    measured: str | None = None
    limit: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """`needs` are ids of checks without whose success this one could only repeat their fault.

    `within_s` is when it counts as hung; one that disturbs the service is `only_asked`: it
    runs only when asked for by name.
    """

    id: str
    run: Callable[[Subject], Outcome]
    needs: tuple[str, ...] = ()
    within_s: float = 300
    only_asked: bool = False


def passed(message: Text, *, measured: str | None = None, limit: str | None = None) -> Outcome:
    return Outcome("pass", message, None, measured, limit)


def warned(message: Text, hint: Text, *, measured: str | None = None, limit: str | None = None) -> Outcome:
    return Outcome("warn", message, hint, measured, limit)


def failed(message: Text, hint: Text, *, measured: str | None = None, limit: str | None = None) -> Outcome:
    return Outcome("fail", message, hint, measured, limit)


def skipped(message: Text, *, measured: str | None = None) -> Outcome:
    return Outcome("skip", message, None, measured)
