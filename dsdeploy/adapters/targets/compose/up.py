"""Brings a Compose project up and tells apart what can go wrong: port taken, engine dead, engine never healthy."""

import ctypes
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsdeploy.adapters.targets.compose.binary import compose_command, environment
from dsdeploy.adapters.targets.compose.docker_engine import containers_of
from dsdeploy.core.errors import EngineDied, EngineNotHealthy, InstallError
from dsdeploy.core.layout import COMPOSE_FILE, compose_project
from dsdeploy.core.texts import text
from dsdeploy.core.values import Release

if TYPE_CHECKING:
    from docker import DockerClient

ENGINE, GATEWAY = "engine", "gateway"
SERVICE_LABEL = "com.docker.compose.service"
LOG_LINES = 12
_LOOK_S = 0.5
_STOP_S = 10
_ENDED = ("exited", "dead", "restarting")
_PORT_WORDS = ("port is already allocated", "address already in use", "failed to bind")


class PortRefused(Exception):
    """Docker could not publish the port; who holds it is looked up by the target."""


def compose_up(client: "DockerClient", release: Release, *services: str, recreate: bool) -> None:
    """Until every container, or those of `services` alone, is healthy.

    Raises PortRefused, EngineDied, EngineNotHealthy, InstallError.
    """
    project = compose_project(release.name)
    words = [
        *compose_command(), "--ansi", "never", "--project-name", project, "--project-directory", release.folder,
        "--file", str(Path(release.folder) / COMPOSE_FILE),
        "up", "--detach", "--wait", "--remove-orphans", "--pull", "never", "--no-build",
    ]  # fmt: skip
    before = {one.id: _restarts(one) for one in containers_of(client, project)}
    with tempfile.TemporaryFile("w+") as said:
        up = subprocess.Popen(
            [*words, *(["--force-recreate"] if recreate else []), *(["--no-deps"] if services else []), *services],
            stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment(), cwd="/",
            preexec_fn=_die_with_parent,
        )  # fmt: skip
        try:
            while up.poll() is None:
                if any(_fallen(one, before) for one in engines_of(client, project)):
                    break
                time.sleep(_LOOK_S)
        finally:
            if up.poll() is None:
                up.terminate()
                up.wait()
        said.seek(0)
        words_said = said.read().strip()
    if up.returncode != 0:
        _explain(client, release, words_said, before)


def engines_of(client: "DockerClient", project: str) -> tuple[Any, ...]:
    """The engines' containers, the first replica first; the newest of each while Compose replaces one by another."""
    found: dict[str, Any] = {}
    for one in sorted(containers_of(client, project), key=lambda one: str(one.attrs["Created"])):
        name = str(one.labels.get(SERVICE_LABEL))
        if name.partition("-")[0] == ENGINE:
            found[name] = one
    return tuple(found[name] for name in sorted(found, key=lambda name: (len(name), name)))


def engine_of(client: "DockerClient", project: str) -> Any | None:
    """The first replica's container."""
    return next(iter(engines_of(client, project)), None)


def gateway_of(client: "DockerClient", project: str) -> Any | None:
    found = [one for one in containers_of(client, project) if one.labels.get(SERVICE_LABEL) == GATEWAY]
    return max(found, key=lambda one: str(one.attrs["Created"]), default=None)


def log_tail(container: Any) -> tuple[str, ...]:
    return tuple(container.logs(tail=LOG_LINES).decode(errors="replace").splitlines())


def log_lines(container: Any, lines: int, *, follow: bool, since_s: int | None = None) -> Iterator[str]:
    rest, since = b"", None if since_s is None else int(time.time()) - since_s
    for piece in container.logs(tail=lines, stream=True, follow=follow, since=since):
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line.decode(errors="replace") for line in whole)
    if rest:
        yield rest.decode(errors="replace")


def health_of(container: Any) -> str | None:
    """starting, healthy or unhealthy."""
    state: dict[str, Any] = container.attrs["State"]
    return str(state["Health"]["Status"]) if state.get("Health") else None


def _explain(client: "DockerClient", release: Release, said: str, before: dict[str, int]) -> None:
    """Stops what would only fail again and again, then says what it was."""
    if any(words in said for words in _PORT_WORDS):
        raise PortRefused(said)
    ill = [one for one in engines_of(client, compose_project(release.name)) if health_of(one) != "healthy"]
    engine = next((one for one in ill if _fallen(one, before)), ill[0] if ill else None)
    if engine is None:
        gateway = gateway_of(client, compose_project(release.name))
        log = "\n".join(log_tail(gateway)) if gateway is not None else ""
        raise InstallError(text("compose-failed", reason=f"{said}\n{log}".strip()), hint=text("compose-failed-hint"))
    died = _fallen(engine, before) or engine.status in _ENDED
    log = "\n".join(log_tail(engine)) or "-"
    for one in containers_of(client, compose_project(release.name)):
        one.stop(timeout=_STOP_S)
    if died:
        raise EngineDied(
            text("engine-died", name=release.name, log=log), hint=text("container-log-hint", name=engine.name)
        )
    raise EngineNotHealthy(
        text("container-not-healthy", name=engine.name, log=log), hint=text("container-log-hint", name=engine.name)
    )


def _fallen(engine: Any, before: dict[str, int]) -> bool:
    """Whether the engine ended by itself since this start."""
    new = engine.id not in before
    return _restarts(engine) > before.get(engine.id, 0) or (new and engine.status in _ENDED)


def _die_with_parent() -> None:
    """A killed install must not leave a Compose at work beside the next one (prctl PR_SET_PDEATHSIG, Linux)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _restarts(container: Any) -> int:
    return int(container.attrs["RestartCount"])
