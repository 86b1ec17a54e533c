"""The service as a Compose project of a Docker Engine: engines with no way out, behind a gateway."""

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

from dsdeploy.adapters.gateway import certificate
from dsdeploy.adapters.gateway.keys import read_keys, read_secrets
from dsdeploy.adapters.gateway.state import wait_for_keys
from dsdeploy.adapters.images import Images
from dsdeploy.adapters.images.archive import ImageSpec
from dsdeploy.adapters.images.llamacpp import USER, llamacpp_image
from dsdeploy.adapters.ports import port_holder
from dsdeploy.adapters.release_files import apply_file_operation, file_operations, gateway_operations
from dsdeploy.adapters.targets.compose import access, confinement
from dsdeploy.adapters.targets.compose import docker_engine as docker
from dsdeploy.adapters.targets.compose.binary import compose_command, config_hashes, environment
from dsdeploy.adapters.targets.compose.own_images import OwnImages
from dsdeploy.adapters.targets.compose.reload import in_force, reload
from dsdeploy.adapters.targets.compose.roll import half_drained, inner_endpoint, roll, take_back
from dsdeploy.adapters.targets.compose.up import (
    ENGINE,
    GATEWAY,
    SERVICE_LABEL,
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
from dsdeploy.core.errors import InstallError, PortTaken
from dsdeploy.core.keys import ApiKey
from dsdeploy.core.layout import (
    CERTIFICATE_FILE,
    CERTIFICATE_KEY_FILE,
    COMPOSE_FILE,
    ENGINE_KEY_FILE,
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
_HASH_LABEL = "com.docker.compose.config-hash"
_WORST_FIRST = ("failed", "stopped", "restarting", "starting", "running")
_FOLDER_LABEL = "com.docker.compose.project.working_dir"
_MAPPED = ("name=rootless", "name=userns")


class ComposeTarget:
    """`spec` says what the engine's image holds where a plan names none. Any method may raise RuntimeMissing or
    RuntimeRefused."""

    name = "compose"

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
        version = str(self._client.version()["Version"])
        words = " ".join(compose_command())
        return (
            Finding("container-runtime", "pass", text("docker-answers", version=version, compose=words)),
            self._user_mapping(),
            self._name_free(release),
            self._port_free(release),
            _secrets_usable(release),
        )

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
        stale = self._stale(release, content)
        several = len(engines_of(self._client, _project(release))) > 1
        alive = gateway is not None and health_of(gateway) == "healthy"
        replace = (Operation("replace-engines", {"name": release.name}),) if stale and several and alive else ()
        start = () if self._as_rendered(release, content) else (_up(release),)
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
                roll(self._client, release, tuple(self._stale(release, _content(rendered))))
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
                text("engine-not-killed", pid=pid, reason=error.strerror or error), hint=text("engine-not-killed-hint")
            ) from error

    def evidence(self, release: Release) -> tuple[RenderedFile, ...]:
        seen = tuple(
            RenderedFile(f"{one.name}.json", json.dumps(one.attrs, indent=1, ensure_ascii=False))
            for one in self._containers(release)
        )
        return (*seen, RenderedFile("gateway.log", "\n".join(self.logs(release, _EVIDENCE_LINES, part=GATEWAY))))

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
        others = (
            one for one in self._client.containers.list(ignore_removed=True) if self._publishes(one, release.port)
        )
        who = next((f"container {one.name}" for one in others), None) or port_holder(release.port) or "?"
        return PortTaken(
            text("port-taken", host=release.host, port=release.port, who=who), hint=text("port-not-free-hint")
        )

    @staticmethod
    def _publishes(container: Any, port: int) -> bool:
        published = container.attrs["NetworkSettings"]["Ports"] or {}
        return any(int(one["HostPort"]) == port for many in published.values() for one in many or ())

    def _as_rendered(self, release: Release, content: str) -> bool:
        """Whether every service runs healthy, as `content` says, and engines with the key that lies on disk now."""
        hashes = config_hashes(_project(release), content, Path(release.folder))
        found = {one.labels.get(SERVICE_LABEL): one for one in self._containers(release)}
        if half_drained(release) or not set(hashes) <= set(found) or set(found) - set(hashes) - set(_services(content)):
            return False
        return not self._stale(release, content) and all(
            found[service].labels.get(_HASH_LABEL) == hash and health_of(found[service]) in ("healthy", None)
            and found[service].status == "running"
            for service, hash in hashes.items()
        )  # fmt: skip

    def _stale(self, release: Release, content: str) -> list[str]:
        """The engines that run otherwise than `content` and the key on disk say."""
        hashes = config_hashes(_project(release), content, Path(release.folder))
        return [
            str(one.labels[SERVICE_LABEL])
            for one in engines_of(self._client, _project(release))
            if (wanted := hashes.get(one.labels[SERVICE_LABEL]))
            and (one.labels.get(_HASH_LABEL) != wanted or self._key_newer(release, one))
        ]

    def _containers(self, release: Release) -> tuple[Any, ...]:
        return docker.containers_of(self._client, _project(release))

    @staticmethod
    def _key_newer(release: Release, engine: Any) -> bool:
        """An engine reads its key once, when it starts."""
        started = datetime.fromisoformat(engine.attrs["State"]["StartedAt"].split(".")[0].rstrip("Z") + "+00:00")
        try:
            return int((Path(release.folder) / ENGINE_KEY_FILE).stat().st_mtime) > started.timestamp()
        except OSError:
            return True

    def _up(self, release: Release) -> None:
        take_back(release)
        engines = engines_of(self._client, _project(release))
        recreate = any(_state(one) == "failed" or self._key_newer(release, one) for one in engines)
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


def _secrets_usable(release: Release) -> Finding:
    """The certificate's state. Raises SecretsOpen, KeysUnreadable, CertificateUnusable for what lies there wrong."""
    read_keys(release)
    read_secrets(release)
    if certificate.due(release):
        return Finding("certificate-valid", "pass", text("certificate-to-come"))
    folder = Path(release.folder)
    ends = certificate.examine(folder / CERTIFICATE_FILE, folder / CERTIFICATE_KEY_FILE, release.host)
    return Finding("certificate-valid", "pass", text("certificate-good", ends=f"{ends:%F}", host=release.host))


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
