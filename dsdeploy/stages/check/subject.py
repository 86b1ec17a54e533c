"""What every check gets and gives."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dsdeploy.adapters.chat import Chat
from dsdeploy.adapters.endpoint import Endpoint
from dsdeploy.adapters.load import run_load
from dsdeploy.adapters.targets.base import Target
from dsdeploy.core.layout import KEYS_FILE, RUN_FOLDER
from dsdeploy.core.progress import Progress
from dsdeploy.core.texts import Text
from dsdeploy.core.values import Load, Plan, Release, Service


@dataclass(slots=True)
class Loads:
    """What the speed checks measured, kept for one another and for the report."""

    chat: Chat
    measured: dict[tuple[int, int], Load] = field(default_factory=dict)

    def run(self, at_once: int, rounds: int, output_tokens: int) -> Load:
        """Measures after one warm-up stream, once for the same question. Raises NoAnswer."""
        if not self.measured:
            run_load(self.chat, 1, 1, output_tokens)
        if (at_once, rounds) not in self.measured:
            self.measured[at_once, rounds] = run_load(self.chat, at_once, rounds, output_tokens)
        return self.measured[at_once, rounds]


@dataclass(frozen=True, slots=True)
class Subject:
    """The release under examination. `plan` is None where its file cannot be used, `key` where there is none."""

    release: Release
    plan: Plan | None
    key: str | None
    target: Target
    endpoint: Endpoint
    loads: Loads
    progress: Progress

    @property
    def chat(self) -> Chat:
        return self.loads.chat

    @property
    def keys_file(self) -> Path:
        return Path(self.release.folder) / KEYS_FILE

    @property
    def engine_log(self) -> Path:
        return Path(self.release.folder) / RUN_FOLDER / "engine.log"

    def observe(self) -> Service:
        """Raises an InstallError where the target cannot be asked."""
        return self.target.observe(self.release)


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
    """`needs` are ids of checks without whose success this one could only repeat their fault."""

    id: str
    run: Callable[[Subject], Outcome]
    needs: tuple[str, ...] = ()


def passed(message: Text, *, measured: str | None = None, limit: str | None = None) -> Outcome:
    return Outcome("pass", message, None, measured, limit)


def warned(message: Text, hint: Text, *, measured: str | None = None, limit: str | None = None) -> Outcome:
    return Outcome("warn", message, hint, measured, limit)


def failed(message: Text, hint: Text, *, measured: str | None = None, limit: str | None = None) -> Outcome:
    return Outcome("fail", message, hint, measured, limit)


def skipped(message: Text) -> Outcome:
    return Outcome("skip", message)
