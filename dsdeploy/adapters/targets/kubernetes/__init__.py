"""The service as a Helm release in a namespace of a cluster, with the rights of the user's own kubeconfig."""

import hashlib
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from dsdeploy.adapters.files import write_whole
from dsdeploy.adapters.release_files import apply_file_operation, file_operations, gateway_operations
from dsdeploy.adapters.targets.kubernetes import confinement, manifest, preflight
from dsdeploy.adapters.targets.kubernetes.connection import Cluster, Document
from dsdeploy.adapters.targets.kubernetes.explain import causes, containers, ready
from dsdeploy.adapters.targets.kubernetes.helm import Helm, worked_here
from dsdeploy.adapters.targets.kubernetes.place import Place, find_place
from dsdeploy.adapters.targets.kubernetes.secrets import FOLDERS, secrets
from dsdeploy.adapters.targets.kubernetes.watch import Watch, look, selector
from dsdeploy.adapters.templates import chart_folder
from dsdeploy.core.errors import ClusterRefused, HelmBusy, InstallError, InvalidRequest
from dsdeploy.core.keys import ApiKey
from dsdeploy.core.kubernetes import secret_name
from dsdeploy.core.layout import PLACE_FILE, RUN_FOLDER, VALUES_FILE
from dsdeploy.core.progress import SILENT, Progress
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

ENGINE = "app.kubernetes.io/component=engine"
_LOG_LINES = 20
_END_S = 180
_LOOK_S = 1
_FOREIGN_S = 7200  # another machine's Helm may wait for a large model this long


class KubernetesTarget:
    """`wanted` is where the user wants a new release; one that is installed stays where it is.

    Any method may raise ClusterAway, ClusterRefused or RuntimeMissing (no Helm).
    """

    name = "kubernetes"

    def __init__(self, wanted: Place | None = None, progress: Progress = SILENT, chart: Path | None = None) -> None:
        self._wanted, self._progress = wanted or Place(), progress
        self._chart = chart

    def preflight(self, release: Release) -> tuple[Finding, ...]:
        cluster = self._cluster(release)
        version = self._helm(cluster).version()
        helm = Finding("helm", "pass", text("helm-answers", version=version), None, version)
        return (helm, *preflight.cluster_findings(cluster))

    def rehearse(self, release: Release, rendered: RenderedFiles) -> tuple[Finding, ...]:
        cluster = self._cluster(release)
        return preflight.release_findings(cluster, release.name, self._documents(cluster, release, rendered))

    def pending(self, release: Release, rendered: RenderedFiles) -> tuple[Operation, ...]:
        cluster = self._cluster(release)
        place = {"name": release.name, "namespace": cluster.namespace, "context": cluster.context}
        files = (*file_operations(release, rendered), *gateway_operations(release))
        kept = {} if files else {one["metadata"]["name"]: one["data"] for one in secrets(release)}
        stale = files or any(self._held(cluster, name) != data for name, data in kept.items())
        found = self._helm(cluster).status(release.name)
        current = found is not None and found.status == "deployed" and found.description == self._sum(rendered)
        running = current and self._all_ready(cluster, release)
        return (
            *files,
            *((Operation("write-place", place),) if find_place(release) is None else ()),
            *((Operation("apply-secrets", place),) if stale else ()),
            *((Operation("take-up-helm", place),) if found is not None and found.pending else ()),
            *((Operation("free-devices", place),) if found and not running and self._stuck(cluster, release) else ()),
            *(() if running else (Operation("helm-upgrade", place),)),
        )

    def apply(self, operation: Operation, release: Release, rendered: RenderedFiles) -> None:
        cluster = self._cluster(release)
        match operation.action:
            case "write-place":
                self._write_place(cluster, release)
            case "apply-secrets":
                for one in secrets(release):
                    cluster.apply(one)
            case "take-up-helm":
                self._take_up(cluster, release)
            case "free-devices":
                self._free_devices(cluster, release)
            case "helm-upgrade":
                self._upgrade(cluster, release, rendered)
            case "helm-uninstall":
                self._helm(cluster).uninstall(release.name, _END_S)
                for one in cluster.list("v1", "Pod", selector(release.name)):  # Helm leaves those of its tests
                    cluster.delete("v1", "Pod", one["metadata"]["name"])
            case "delete-secrets":
                for folder in FOLDERS:
                    cluster.delete("v1", "Secret", secret_name(release.name, folder))
            case _:
                apply_file_operation(operation, release, rendered)

    def observe(self, release: Release) -> Service:
        cluster = self._cluster(release)
        seen = look(cluster, release.name)
        restarts = sum(int(one.get("restartCount", 0)) for pod in seen.pods for one in containers(pod))
        engines = self._engines(seen.pods)
        tail = self._tail(cluster, engines)
        if not seen.pods:
            return Service("failed" if causes(seen) else "stopped", None, restarts, tail)
        if all(map(ready, seen.pods)):
            return Service("running", None, restarts, tail)
        grave = any(one.patience_s is not None for one in causes(seen))
        return Service("failed" if grave else "starting", None, restarts, tail)

    def removal(self, release: Release) -> tuple[Operation, ...]:
        folder = Operation("remove-folder", {"path": release.folder})
        if find_place(release) is None:
            return (folder,)  # nothing of it ever reached a cluster
        cluster = self._cluster(release)
        place = {"name": release.name, "namespace": cluster.namespace, "context": cluster.context}
        helm = (Operation("helm-uninstall", place),) if self._helm(cluster).status(release.name) else ()
        held = any(self._held(cluster, secret_name(release.name, folder)) is not None for folder in FOLDERS)
        return (*helm, *((Operation("delete-secrets", place),) if held else ()), folder)

    def take_keys(self, release: Release, keys: tuple[ApiKey, ...]) -> None:
        """The gateway reads the mounted Secret again by itself, within a minute or two (kubelet's sync period)."""
        cluster = self._cluster(release)
        for one in secrets(release):
            cluster.apply(one)

    def logs(
        self, release: Release, lines: int, *, follow: bool = False, since_s: int | None = None, part: str = "engine"
    ) -> Iterator[str]:
        if since_s is not None or part != "engine":
            raise InvalidRequest(text("logs-engine-only", target=self.name), hint=text("logs-engine-only-hint"))
        cluster = self._cluster(release)
        for pod in self._engines(self._pods(release))[:1]:
            name, container = pod["metadata"]["name"], pod["spec"]["containers"][0]["name"]
            yield from (
                cluster.log_stream(name, container, lines) if follow else cluster.log_tail(name, container, lines)
            )

    def workloads(self, release: Release) -> tuple[Workload, ...]:
        return confinement.workloads(self._pods(release))

    def has_room(self, plan: Plan) -> bool:
        """Devices of a cluster are for its scheduler to give: a second service is not tried beside the first."""
        return False

    def run_inside(self, release: Release, code: str) -> str | None:
        """Needs `create pods/exec`, which the least role leaves out: None without it."""
        for pod in self._engines(self._pods(release)):
            return confinement.run_python(self._cluster(release), pod, code)
        return None

    def evidence(self, release: Release) -> tuple[RenderedFile, ...]:
        seen = look(self._cluster(release), release.name)
        return confinement.evidence(seen.pods, seen.events)

    def crash(self, release: Release) -> None:
        """Deletes the engine's pods without grace: their owner makes new ones."""
        cluster = self._cluster(release)
        for pod in self._engines(self._pods(release)):
            cluster.delete("v1", "Pod", pod["metadata"]["name"])

    def _folder(self) -> Path:
        return self._chart or chart_folder()

    def _pods(self, release: Release) -> tuple[Document, ...]:
        return self._cluster(release).list("v1", "Pod", selector(release.name))

    def _cluster(self, release: Release) -> Cluster:
        return self._clusters(find_place(release) or self._wanted)

    @cached_property
    def _opened(self) -> dict[Place, Cluster]:
        return {}

    def _clusters(self, place: Place) -> Cluster:
        if place not in self._opened:
            self._opened[place] = Cluster(place.context, place.namespace)
        return self._opened[place]

    @staticmethod
    def _helm(cluster: Cluster) -> Helm:
        return Helm(cluster.context, cluster.namespace)

    def _write_place(self, cluster: Cluster, release: Release) -> None:
        place = {"context": cluster.context, "namespace": cluster.namespace, "server": cluster.server}
        try:
            Path(release.folder).mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(Path(release.folder) / PLACE_FILE, json.dumps(place, indent=1) + "\n")
        except OSError as error:
            raise InstallError(
                text("not-writable", path=error.filename or release.folder, reason=error.strerror or error),
                hint=text("not-writable-hint"),
            ) from error

    def _documents(self, cluster: Cluster, release: Release, rendered: RenderedFiles) -> tuple[Document, ...]:
        """The chart with these values as Helm renders it for this cluster. Raises InstallError."""
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            values = Path(folder) / "values.yaml"
            values.write_text(_values(rendered), encoding="utf-8")
            return manifest.documents(
                self._helm(cluster).render(release.name, self._folder(), values, cluster.version(), cluster.served())
            )

    def _sum(self, rendered: RenderedFiles) -> str:
        """What tells one change of the release from another: the values and the chart, in Helm's own record."""
        digest = hashlib.sha256(_values(rendered).encode())
        for one in sorted(self._folder().rglob("*")):
            if one.is_file():
                digest.update(str(one.relative_to(self._folder())).encode() + b"\0" + one.read_bytes())
        return f"dsdeploy {digest.hexdigest()[:32]}"

    @staticmethod
    def _held(cluster: Cluster, name: str) -> dict[str, str] | None:
        found = cluster.read("v1", "Secret", name)
        return None if found is None else dict(found.get("data") or {})

    def _all_ready(self, cluster: Cluster, release: Release) -> bool:
        """Whether each controller has all the pods that it was asked for, of this version, ready."""
        chosen = selector(release.name)
        found = (*cluster.list("apps/v1", "Deployment", chosen), *cluster.list("apps/v1", "StatefulSet", chosen))
        return bool(found) and all(map(_settled, found))

    def _stuck(self, cluster: Cluster, release: Release) -> bool:
        """Whether engines of an older change stand there that serve nobody, on devices that the next ones need."""
        pods = self._engines(cluster.list("v1", "Pod", selector(release.name)))
        return bool(pods) and not any(map(ready, pods))

    def _free_devices(self, cluster: Cluster, release: Release) -> None:
        chosen = f"{selector(release.name)},{ENGINE}"
        for one in cluster.list("apps/v1", "Deployment", chosen):
            cluster.scale_to_zero(one["metadata"]["name"])
        if cluster.has("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet"):
            for one in cluster.list("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", chosen):
                cluster.delete("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", one["metadata"]["name"])
        end = time.monotonic() + _END_S
        while self._engines(cluster.list("v1", "Pod", selector(release.name))):
            if time.monotonic() > end:
                raise InstallError(text("pods-do-not-end", name=release.name), hint=text("pods-do-not-end-hint"))
            time.sleep(_LOOK_S)

    def _take_up(self, cluster: Cluster, release: Release) -> None:
        """Drops the record of a change that no Helm is working on any more: Helm itself would refuse for ever.

        What that change had made is adopted by the next one, by the release's name in its annotations.
        """
        found = self._helm(cluster).status(release.name)
        if found is None or not found.pending:
            return
        end = time.monotonic() + _END_S
        while working := worked_here(_note(release)):
            if time.monotonic() > end:
                break
            time.sleep(_LOOK_S)
        name = f"sh.helm.release.v1.{release.name}.v{found.revision}"
        record = cluster.read("v1", "Secret", name)
        if record is None:
            return
        if working or (working is None and _age_s(record) < _FOREIGN_S):
            raise HelmBusy(text("helm-busy-since", status=found.status), hint=text("helm-busy-hint"))
        cluster.delete("v1", "Secret", name)

    def _upgrade(self, cluster: Cluster, release: Release, rendered: RenderedFiles) -> None:
        many = self._documents(cluster, release, rendered)
        watch = Watch(cluster, release.name, self._progress)
        try:
            self._helm(cluster).upgrade(
                release.name, self._folder(), Path(release.folder) / VALUES_FILE,
                description=self._sum(rendered), timeout_s=manifest.budget_s(many), note=_note(release), watch=watch,
            )  # fmt: skip
        except InstallError as error:
            why = None if isinstance(error, HelmBusy) or type(error) is not InstallError else watch.why()
            if why is not None:
                raise why from error
            raise
        watch.finish()

    @staticmethod
    def _engines(pods: tuple[Document, ...]) -> tuple[Document, ...]:
        key, _, value = ENGINE.partition("=")
        return tuple(one for one in pods if (one["metadata"].get("labels") or {}).get(key) == value)

    @staticmethod
    def _tail(cluster: Cluster, engines: tuple[Document, ...]) -> tuple[str, ...]:
        try:
            for pod in engines:
                name, container = pod["metadata"]["name"], pod["spec"]["containers"][0]["name"]
                return cluster.log_tail(name, container, _LOG_LINES)
        except ClusterRefused:
            pass
        return ()


def _values(rendered: RenderedFiles) -> str:
    return next(one.content for one in rendered.files if one.path == VALUES_FILE)


def _settled(one: dict[str, Any]) -> bool:
    status, wanted = one.get("status") or {}, int(one["spec"].get("replicas", 1))
    current = status.get("observedGeneration") == one["metadata"]["generation"]
    return current and int(status.get("updatedReplicas", 0)) == wanted == int(status.get("readyReplicas", 0))


def _note(release: Release) -> Path:
    return Path(release.folder) / RUN_FOLDER / "helm.json"


def _age_s(record: Document) -> float:
    began = datetime.fromisoformat(str(record["metadata"]["creationTimestamp"]).replace("Z", "+00:00"))
    return (datetime.now(UTC) - began).total_seconds()
