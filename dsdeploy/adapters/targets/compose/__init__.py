"""The service as a Compose project of a Docker Engine: engines with no way out, behind a gateway."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from dsdeploy.adapters.gateway.state import wait_for_keys
from dsdeploy.adapters.images import Images
from dsdeploy.adapters.images.archive import ImageSpec
from dsdeploy.adapters.images.llamacpp import USER, llamacpp_image
from dsdeploy.adapters.release_files import apply_file_operation, file_operations, gateway_operations
from dsdeploy.adapters.targets.compose import access, confinement, drift, preflight
from dsdeploy.adapters.targets.compose import docker_engine as docker
from dsdeploy.adapters.targets.compose.binary import compose_command, environment
from dsdeploy.adapters.targets.compose.own_images import OwnImages
from dsdeploy.adapters.targets.compose.reload import in_force, reload
from dsdeploy.adapters.targets.compose.roll import inner_endpoint, roll, take_back
from dsdeploy.adapters.targets.compose.up import (
    ENGINE,
    GATEWAY,
    PortRefused,
    compose_up,
    engine_of,
    engines_of,
    gateway_of,
    health_of,
    log_lines,
    log_tail,
)
from dsdeploy.adapters.workloads import memory_has_room
from dsdeploy.core.errors import InstallError
from dsdeploy.core.keys import ApiKey
from dsdeploy.core.layout import (
    COMPOSE_FILE,
    SECRETS_FOLDER,
    compose_project,
)
from dsdeploy.core.texts import text
from dsdeploy.core.values import (
    Finding,
    Operation,
    Plan,
    Release,
    RenderedFile,
    RenderedFiles,
    Service,
    Workload,
)

if TYPE_CHECKING:
    from docker import DockerClient

_DOWN_TIMEOUT_S = 120
_EVIDENCE_LINES = 5_000
_WORST_FIRST = ("failed", "stopped", "restarting", "starting", "running")


class ComposeTarget:
    """`spec` says what the engine's image holds where a plan names none. Any method may raise RuntimeMissing or
    RuntimeRefused."""

    name = "compose"
    log_parts: tuple[str, ...] = ("engine", GATEWAY)

    def __init__(self, spec: Callable[[], ImageSpec] = llamacpp_image) -> None:
        self._spec = spec

    @cached_property
    def _client(self) -> "DockerClient":
        return docker.connect()

    @cached_property
    def _own(self) -> OwnImages:
        return OwnImages(self._spec)

    @property
    def images(self) -> Images:
        """Ids by which this engine knows, or will know, them; without an engine, those of Docker's own store."""
        return Images(self._own.engine_reference, self._own.gateway_reference, self.user)

    @property
    def user(self) -> str:
        """Whom containers run as: this user, who owns the secrets, or the image's own where this user is root."""
        return f"{os.getuid()}:{os.getgid()}" if os.getuid() else USER

    def preflight(self, release: Release) -> tuple[Finding, ...]:
        return preflight.findings(self._client, release)

    def rehearse(self, release: Release, rendered: RenderedFiles) -> tuple[Finding, ...]:
        return ()

    def pending(self, release: Release, rendered: RenderedFiles) -> tuple[Operation, ...]:
        content = next((one.content for one in rendered.files if one.path == COMPOSE_FILE), None)
        if content is None:
            raise InstallError(text("compose-by-hand"), hint=text("compose-by-hand-hint"))
        files = (*file_operations(release, rendered), *gateway_operations(release))
        user = _services(content)[ENGINE]["user"]
        grant = () if not files and access.granted(release, user) else (_grant(release, user),)
        unshared = access.unshared(release, user)
        share = (Operation("share-weights", {"path": release.weights.directory, "user": user}),) if unshared else ()
        return (
            *self._own.builds(self._client, _wanted_images(content)),
            *files,
            *grant,
            *share,
            *self._changes(release, content, files),
        )

    def _changes(self, release: Release, content: str, files: tuple[Operation, ...]) -> tuple[Operation, ...]:
        """What has to happen to containers: nothing, a reload, engines replaced in turn, or all of them brought up."""
        gateway = gateway_of(self._client, _project(release))
        stale = drift.stale(self._client, release, content)
        several = len(engines_of(self._client, _project(release))) > 1
        alive = gateway is not None and health_of(gateway) == "healthy"
        replace = (Operation("replace-engines", {"name": release.name}),) if stale and several and alive else ()
        start = () if drift.as_rendered(self._client, release, content) else (_up(release),)
        renewed = any(one.action == "create-certificate" for one in files) or not in_force(release)
        reload = (Operation("reload-gateway", {"name": release.name}),) if alive and renewed else ()
        return (*replace, *start, *reload)

    def apply(self, operation: Operation, release: Release, rendered: RenderedFiles) -> None:
        match operation.action:
            case "build-image":
                self._own.load(self._client, operation.arguments["tag"])
            case "grant-secrets":
                access.grant_secrets(release, operation.arguments["user"])
            case "share-weights":
                access.share_weights(release, operation.arguments["user"])
            case "replace-engines":
                roll(self._client, release, tuple(drift.stale(self._client, release, _content(rendered))))
            case "compose-up":
                self._up(release)
            case "reload-gateway":
                reload(gateway_of(self._client, _project(release)), release)
            case "compose-down":
                self._down(release)
            case "remove-image":
                docker.remove_image(self._client, operation.arguments["image"])
            case _:
                apply_file_operation(operation, release, rendered)

    def observe(self, release: Release) -> Service:
        """Of several engines the one that is worst off."""
        engines = engines_of(self._client, _project(release))
        if not engines:
            return Service("stopped", None, 0, ())
        engine = min(engines, key=lambda one: _WORST_FIRST.index(_state(one)))
        pid = int(engine.attrs["State"]["Pid"])
        return Service(_state(engine), pid or None, int(engine.attrs["RestartCount"]), log_tail(engine))

    def take_keys(self, release: Release, keys: tuple[ApiKey, ...]) -> None:
        """The gateway reads them by itself; a project that does not run will."""
        gateway = gateway_of(self._client, _project(release))
        if gateway is not None and gateway.status == "running":
            wait_for_keys(inner_endpoint(gateway, _project(release)), keys)

    def removal(self, release: Release) -> tuple[Operation, ...]:
        project = compose_project(release.name)
        containers = docker.containers_of(self._client, project)
        down = (Operation("compose-down", {"name": release.name}),)
        lone = docker.lone_images(self._client, _installed_images(release), containers)
        remove = (Operation("remove-image", {"image": one}) for one in lone)
        folder = Operation("remove-folder", {"path": release.folder})
        return (*(down if containers or docker.networks_of(self._client, project) else ()), *remove, folder)

    def reach(self, release: Release) -> AbstractContextManager[Release]:
        return nullcontext(release)

    def workloads(self, release: Release) -> tuple[Workload, ...]:
        return confinement.workloads(self._containers(release))

    def logs(
        self, release: Release, lines: int, *, follow: bool = False, since_s: int | None = None, part: str = "engine"
    ) -> Iterator[str]:
        found = (gateway_of if part == GATEWAY else engine_of)(self._client, _project(release))
        return iter(()) if found is None else log_lines(found, lines, follow=follow, since_s=since_s)

    def has_room(self, plan: Plan) -> bool:
        return memory_has_room(plan)

    def run_inside(self, release: Release, code: str) -> str | None:
        engine = engine_of(self._client, _project(release))
        return None if engine is None else confinement.run_python(engine, code)

    def crash(self, release: Release) -> None:
        """Kills it from this machine: what `docker kill` ends, Docker does not start again."""
        engine = engine_of(self._client, _project(release))
        pid = 0 if engine is None else int(engine.attrs["State"]["Pid"])
        try:
            if pid:
                os.kill(pid, signal.SIGKILL)
        except OSError as error:
            raise InstallError(
                text("engine-not-killed", pid=pid, reason=error), hint=text("engine-not-killed-hint")
            ) from error

    def evidence(self, release: Release) -> tuple[RenderedFile, ...]:
        seen = tuple(
            RenderedFile(f"{one.name}.json", json.dumps(one.attrs, indent=1, ensure_ascii=False))
            for one in self._containers(release)
        )
        return (*seen, RenderedFile("gateway.log", "\n".join(self.logs(release, _EVIDENCE_LINES, part=GATEWAY))))

    def _containers(self, release: Release) -> tuple[Any, ...]:
        return docker.containers_of(self._client, _project(release))

    def _up(self, release: Release) -> None:
        take_back(release)
        engines = engines_of(self._client, _project(release))
        recreate = any(_state(one) == "failed" or drift.key_newer(release, one) for one in engines)
        try:
            compose_up(self._client, release, recreate=recreate)
        except PortRefused as error:
            raise preflight.port_taken(self._client, release) from error

    def _down(self, release: Release) -> None:
        """By the project's name alone, so that a lost or broken file does not keep it running."""
        words = (*compose_command(), "--ansi", "never", "--project-name", _project(release), "down", "--remove-orphans")
        with tempfile.TemporaryDirectory() as nowhere:
            run = subprocess.run(
                words, capture_output=True, text=True, env=environment(), cwd=nowhere,
                timeout=_DOWN_TIMEOUT_S, check=False,
            )  # fmt: skip
        if run.returncode:
            raise InstallError(text("compose-failed", reason=run.stderr.strip()), hint=text("compose-failed-hint"))


def _project(release: Release) -> str:
    return compose_project(release.name)


def _services(content: str) -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = yaml.safe_load(content)["services"]
    return services


def _wanted_images(content: str) -> tuple[str, ...]:
    """Those that install must find or make here; a profile's are the affair of whoever switches it on."""
    return tuple(dict.fromkeys(str(one["image"]) for one in _services(content).values() if "profiles" not in one))


def _installed_images(release: Release) -> tuple[str, ...]:
    try:
        return _wanted_images((Path(release.folder) / COMPOSE_FILE).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return ()


def _content(rendered: RenderedFiles) -> str:
    return next(one.content for one in rendered.files if one.path == COMPOSE_FILE)


def _grant(release: Release, user: str) -> Operation:
    return Operation("grant-secrets", {"path": str(Path(release.folder) / SECRETS_FOLDER), "user": user})


def _up(release: Release) -> Operation:
    return Operation("compose-up", {"name": release.name, "url": release.url})


def _state(engine: Any) -> str:
    """The word of `Service.state` for what Docker says of a container."""
    match engine.status, health_of(engine):
        case "running", "healthy":
            return "running"
        case "running", "starting":
            return "starting"
        case "restarting", _:
            return "restarting"
        case "running", _:
            return "failed"
        case _:
            return "failed" if engine.attrs["State"]["ExitCode"] else "stopped"
