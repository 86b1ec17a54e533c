"""The service as a Compose project of a Docker Engine: an image made here, an engine with no way out."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from dsdeploy.adapters.images.archive import Image, ImageSpec, describe_image
from dsdeploy.adapters.images.llamacpp import USER, llamacpp_image
from dsdeploy.adapters.ports import port_holder
from dsdeploy.adapters.release_files import apply_file_operation, file_operations
from dsdeploy.adapters.targets.compose import access, confinement
from dsdeploy.adapters.targets.compose import docker_engine as docker
from dsdeploy.adapters.targets.compose.binary import compose_command, config_hashes, environment
from dsdeploy.adapters.targets.compose.up import (
    ENGINE,
    GATE,
    PortRefused,
    compose_up,
    engine_of,
    health_of,
    log_lines,
    log_tail,
)
from dsdeploy.adapters.workloads import memory_has_room
from dsdeploy.core.errors import InstallError, PortTaken, RuntimeMissing, RuntimeRefused
from dsdeploy.core.layout import COMPOSE_FILE, KEYS_FILE, compose_project
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
_FOLDER_LABEL = "com.docker.compose.project.working_dir"
_MAPPED = ("name=rootless", "name=userns")


class ComposeTarget:
    """`spec` says what the engine's image holds. Any method may raise RuntimeMissing or RuntimeRefused."""

    name = "compose"

    def __init__(self, spec: Callable[[], ImageSpec] = llamacpp_image) -> None:
        self._spec = spec

    @cached_property
    def _client(self) -> "DockerClient":
        return docker.connect()

    @cached_property
    def _image(self) -> Image:
        return describe_image(self._spec())

    @property
    def image(self) -> str:
        """The id by which this engine knows, or will know, the image; without an engine, that of Docker's own store."""
        try:
            return docker.image_reference(self._client, self._image)
        except (RuntimeMissing, RuntimeRefused):
            return self._image.id

    @property
    def user(self) -> str:
        """Whom containers run as: this user, who owns the key's file, or the image's own where this user is root."""
        return f"{os.getuid()}:{os.getgid()}" if os.getuid() else USER

    def preflight(self, release: Release) -> tuple[Finding, ...]:
        version = str(self._client.version()["Version"])
        words = " ".join(compose_command())
        return (
            Finding("container-runtime", "pass", text("docker-answers", version=version, compose=words)),
            self._user_mapping(),
            self._name_free(release),
            self._port_free(release),
        )

    def pending(self, release: Release, rendered: RenderedFiles) -> tuple[Operation, ...]:
        content = next(one.content for one in rendered.files if one.path == COMPOSE_FILE)
        files = file_operations(release, rendered)
        image, user = _engine_service(content)
        build = () if docker.has_image(self._client, image) else (self._build(),)
        grant = () if access.granted(release, user) else (_grant(release, user),)
        weights = release.weights.directory
        unshared = access.unshared(release, user)
        share = (Operation("share-weights", {"path": weights, "user": user}),) if unshared else ()
        start = () if self._as_rendered(release, content) else (_up(release),)
        return (*build, *files, *grant, *share, *start)

    def apply(self, operation: Operation, release: Release, rendered: RenderedFiles) -> None:
        match operation.action:
            case "build-image":
                docker.load_image(self._client, self._image)
            case "grant-keys":
                access.grant_keys(operation.arguments["path"], operation.arguments["user"])
            case "share-weights":
                access.share_weights(release, operation.arguments["user"])
            case "compose-up":
                self._up(release)
            case "compose-down":
                self._down(release)
            case "remove-image":
                self._remove_image(operation.arguments["image"])
            case _:
                apply_file_operation(operation, release, rendered)

    def observe(self, release: Release) -> Service:
        engine = engine_of(self._client, compose_project(release.name))
        if engine is None:
            return Service("stopped", None, 0, ())
        pid = int(engine.attrs["State"]["Pid"])
        return Service(_state(engine), pid or None, int(engine.attrs["RestartCount"]), log_tail(engine))

    def removal(self, release: Release) -> tuple[Operation, ...]:
        project = compose_project(release.name)
        containers = docker.containers_of(self._client, project)
        down = (Operation("compose-down", {"name": release.name}),)
        left = self._lone_image(release, containers)
        remove = (Operation("remove-image", {"image": left}),) if left else ()
        folder = Operation("remove-folder", {"path": release.folder})
        return (*(down if containers or docker.networks_of(self._client, project) else ()), *remove, folder)

    def workloads(self, release: Release) -> tuple[Workload, ...]:
        return confinement.workloads(self._containers(release))

    def logs(self, release: Release, lines: int, *, follow: bool = False) -> Iterator[str]:
        engine = engine_of(self._client, _project(release))
        return iter(()) if engine is None else log_lines(engine, lines, follow=follow)

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
                text("engine-not-killed", pid=pid, reason=error.strerror or error), hint=text("engine-not-killed-hint")
            ) from error

    def evidence(self, release: Release) -> tuple[RenderedFile, ...]:
        return tuple(
            RenderedFile(f"{one.name}.json", json.dumps(one.attrs, indent=1, ensure_ascii=False))
            for one in self._containers(release)
        )

    def _user_mapping(self) -> Finding:
        options: list[str] = self._client.info().get("SecurityOptions") or []
        if any(one.startswith(_MAPPED) for one in options):
            return Finding("user-mapping", "fail", text("docker-maps-users"), text("docker-maps-users-hint"))
        return Finding("user-mapping", "pass", text("docker-keeps-users"))

    def _name_free(self, release: Release) -> Finding:
        """A project's name is one for the whole engine, a release's only for one home."""
        project = compose_project(release.name)
        for one in docker.containers_of(self._client, project):
            folder = one.labels.get(_FOLDER_LABEL)
            if folder != release.folder:
                message = text("project-taken", project=project, folder=folder)
                return Finding("release-name-free", "fail", message, text("project-taken-hint"))
        return Finding("release-name-free", "pass", text("project-free", project=project))

    def _port_free(self, release: Release) -> Finding:
        """Raises PortTaken."""
        if any(self._publishes(one, release.port) for one in docker.containers_of(self._client, _project(release))):
            return Finding("port-free", "pass", text("port-is-ours", port=release.port))
        if port_holder(release.port) is not None:
            raise self._port_taken(release)
        return Finding("port-free", "pass", text("port-is-free", host=release.host, port=release.port))

    def _port_taken(self, release: Release) -> PortTaken:
        others = (one for one in self._client.containers.list() if self._publishes(one, release.port))
        who = next((f"container {one.name}" for one in others), None) or port_holder(release.port) or "?"
        return PortTaken(
            text("port-taken", host=release.host, port=release.port, who=who), hint=text("port-not-free-hint")
        )

    @staticmethod
    def _publishes(container: Any, port: int) -> bool:
        published = container.attrs["NetworkSettings"]["Ports"] or {}
        return any(int(one["HostPort"]) == port for many in published.values() for one in many or ())

    def _build(self) -> Operation:
        return Operation("build-image", {"tag": self._image.spec.tag, "size": f"{self._image.layer_bytes:,}"})

    def _as_rendered(self, release: Release, content: str) -> bool:
        """Whether every service runs healthy, as `content` says, with the key that lies on disk now."""
        found = {one.labels.get("com.docker.compose.service"): one for one in self._containers(release)}
        if set(found) != {ENGINE, GATE} or self._key_newer(release, found[ENGINE]):
            return False
        hashes = config_hashes(_project(release), content)
        return all(
            one.labels.get("com.docker.compose.config-hash") == hashes.get(service) and health_of(one) == "healthy"
            and one.status == "running"
            for service, one in found.items()
        )  # fmt: skip

    def _containers(self, release: Release) -> tuple[Any, ...]:
        return docker.containers_of(self._client, _project(release))

    @staticmethod
    def _key_newer(release: Release, engine: Any) -> bool:
        """An engine reads its key once, when it starts."""
        started = datetime.fromisoformat(engine.attrs["State"]["StartedAt"].split(".")[0].rstrip("Z") + "+00:00")
        try:
            return int((Path(release.folder) / KEYS_FILE).stat().st_mtime) > started.timestamp()
        except OSError:
            return True

    def _up(self, release: Release) -> None:
        engine = engine_of(self._client, _project(release))
        recreate = engine is not None and (_state(engine) == "failed" or self._key_newer(release, engine))
        try:
            compose_up(self._client, release, recreate=recreate)
        except PortRefused as error:
            raise self._port_taken(release) from error

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

    def _lone_image(self, release: Release, containers: tuple[Any, ...]) -> str | None:
        """The release's image, when it is here and no other container needs it."""
        try:
            image, _ = _engine_service((Path(release.folder) / COMPOSE_FILE).read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError, KeyError, TypeError):
            return None
        ours = {one.id for one in containers}
        users = self._client.containers.list(all=True, filters={"ancestor": image})
        return None if any(one.id not in ours for one in users) or not docker.has_image(self._client, image) else image

    def _remove_image(self, image: str) -> None:
        from docker.errors import APIError

        try:
            self._client.images.remove(image, force=True)
        except APIError as error:
            reason = str(error.explanation or error)
            raise InstallError(text("compose-failed", reason=reason), hint=text("compose-failed-hint")) from error


def _project(release: Release) -> str:
    return compose_project(release.name)


def _engine_service(content: str) -> tuple[str, str]:
    """The image and the user that a rendered project runs its engine with."""
    service = yaml.safe_load(content)["services"][ENGINE]
    return str(service["image"]), str(service["user"])


def _grant(release: Release, user: str) -> Operation:
    return Operation("grant-keys", {"path": str(Path(release.folder) / KEYS_FILE), "user": user})


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
