"""The service as a Helm release in a namespace of a cluster, with the rights of the user's own kubeconfig."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from dsdeploy.adapters.files import write_whole
from dsdeploy.adapters.release_files import apply_file_operation, file_operations, gateway_operations
from dsdeploy.adapters.targets.kubernetes import change, confinement, loading, logs, manifest, preflight
from dsdeploy.adapters.targets.kubernetes.change import END_S, of_component
from dsdeploy.adapters.targets.kubernetes.connection import Cluster, Document
from dsdeploy.adapters.targets.kubernetes.door import HERE, door
from dsdeploy.adapters.targets.kubernetes.explain import causes, containers, ready
from dsdeploy.adapters.targets.kubernetes.helm import Helm
from dsdeploy.adapters.targets.kubernetes.keys import wait_for_gateways
from dsdeploy.adapters.targets.kubernetes.place import Place, find_place
from dsdeploy.adapters.targets.kubernetes.secrets import FOLDERS, secrets
from dsdeploy.adapters.targets.kubernetes.watch import Watch, look, selector, serving
from dsdeploy.adapters.templates import chart_folder
from dsdeploy.core.errors import InstallError, NoGateway
from dsdeploy.core.keys import ApiKey
from dsdeploy.core.kubernetes import secret_name
from dsdeploy.core.layout import PLACE_FILE, VALUES_FILE
from dsdeploy.core.progress import SILENT, Progress
from dsdeploy.core.sizes import size_words
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

_LOG_LINES, _EVIDENCE_LINES = 20, 1000


class KubernetesTarget:
    """`wanted` is where the user wants a new release; one that is installed stays where it is.

    Any method may raise ClusterAway, ClusterRefused or RuntimeMissing (no Helm).
    """

    name = "kubernetes"
    log_parts: tuple[str, ...] = (logs.ENGINE, logs.GATEWAY, logs.VERIFY)

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
        many = self._documents(cluster, release, rendered)
        loads = preflight.loader_findings(cluster) if loading.asked(rendered) else ()
        return (*preflight.release_findings(cluster, release.name, many), *loads)

    def pending(self, release: Release, rendered: RenderedFiles) -> tuple[Operation, ...]:
        cluster = self._cluster(release)
        place = {"name": release.name, "namespace": cluster.namespace, "context": cluster.context}
        files = (*file_operations(release, rendered), *gateway_operations(release))
        kept = {} if files else {one["metadata"]["name"]: one["data"] for one in secrets(release)}
        stale = files or any(self._held(cluster, name) != data for name, data in kept.items())
        found = self._helm(cluster).status(release.name)
        current = found is not None and found.status == "deployed" and found.description == self._sum(rendered)
        running = current and change.all_ready(cluster, release)
        return (
            *((Operation("write-place", place),) if find_place(release) is None else ()),  # certificates are for it
            *files,
            *((Operation("apply-secrets", place),) if stale else ()),
            *((Operation("take-up-helm", place),) if found is not None and found.pending else ()),
            *self._load(cluster, release, rendered),
            *((Operation("free-devices", place),) if found and not running and change.stuck(cluster, release) else ()),
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
                change.take_up(cluster, self._helm(cluster), release)
            case "load-weights":
                many = self._documents(cluster, release, rendered)
                loading.load(cluster, release, loading.loading(release, many), self._progress)
            case "free-devices":
                change.free_devices(cluster, release)
            case "helm-upgrade":
                self._upgrade(cluster, release, rendered)
            case "helm-uninstall":
                self._helm(cluster).uninstall(release.name, END_S)
                for one in cluster.list("v1", "Pod", selector(release.name)):  # Helm leaves those of its tests
                    cluster.delete("v1", "Pod", one["metadata"]["name"])
            case "delete-secrets":
                for folder in FOLDERS:
                    cluster.delete("v1", "Secret", secret_name(release.name, folder))
            case _:
                apply_file_operation(operation, release, rendered)

    def observe(self, release: Release) -> Service:
        cluster = self._cluster(release)
        seen = look(cluster, serving(release.name))
        restarts = sum(int(one.get("restartCount", 0)) for pod in seen.pods for one in containers(pod))
        tail = self._tail(cluster, seen.pods, logs.ENGINE, _LOG_LINES)
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
        cluster = self._cluster(release)
        for one in secrets(release):
            cluster.apply(one)
        wait_for_gateways(cluster, of_component(self._pods(release), "gateway"), keys)

    @contextmanager
    def reach(self, release: Release) -> Iterator[Release]:
        """Through the API server to one gateway: what hangs on its network (speed above all) is that way's, too."""
        gateways = [one for one in of_component(self._pods(release), "gateway") if ready(one)]
        if not gateways:
            raise NoGateway(text("no-gateway", name=release.name), hint=text("no-gateway-hint"))
        with door(self._cluster(release), gateways[0], "https") as port:
            yield replace(release, host=HERE, port=port)

    def logs(
        self, release: Release, lines: int, *, follow: bool = False, since_s: int | None = None, part: str = "engine"
    ) -> Iterator[str]:
        yield from (logs.follow if follow else logs.tail)(
            self._cluster(release), self._pods(release), part, lines, since_s
        )

    def workloads(self, release: Release) -> tuple[Workload, ...]:
        return confinement.workloads(self._pods(release))

    def has_room(self, plan: Plan) -> bool:
        """Devices of a cluster are for its scheduler to give: a second service is not tried beside the first."""
        return False

    def run_inside(self, release: Release, code: str) -> str | None:
        """Needs `create pods/exec`, which the least role leaves out: None without it."""
        for pod in of_component(self._pods(release), "engine"):
            return confinement.run_python(self._cluster(release), pod, code)
        return None

    def evidence(self, release: Release) -> tuple[RenderedFile, ...]:
        cluster = self._cluster(release)
        seen = look(cluster, serving(release.name))
        told = {part: self._tail(cluster, seen.pods, part, _EVIDENCE_LINES) for part in (logs.GATEWAY, logs.VERIFY)}
        return (
            *confinement.evidence(seen.pods, seen.events),
            *(RenderedFile(f"{part}.log", "\n".join(lines)) for part, lines in told.items()),
        )

    def crash(self, release: Release) -> None:
        """Deletes the engine's pods without grace: their owner makes new ones."""
        cluster = self._cluster(release)
        for pod in of_component(self._pods(release), "engine"):
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

    @cached_property
    def _rendered(self) -> dict[tuple[str, str], tuple[Document, ...]]:
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
                text("not-writable", path=error.filename or release.folder, reason=error),
                hint=text("not-writable-hint"),
            ) from error

    def _documents(self, cluster: Cluster, release: Release, rendered: RenderedFiles) -> tuple[Document, ...]:
        """The chart with these values as Helm renders it for this cluster, once. Raises InstallError."""
        import tempfile

        asked = (release.name, _values(rendered))
        if asked in self._rendered:
            return self._rendered[asked]
        with tempfile.TemporaryDirectory() as folder:
            values = Path(folder) / "values.yaml"
            values.write_text(_values(rendered), encoding="utf-8")
            said = self._helm(cluster).render(release.name, self._folder(), values, cluster.version(), cluster.served())
        self._rendered[asked] = manifest.documents(said)
        return self._rendered[asked]

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

    def _load(self, cluster: Cluster, release: Release, rendered: RenderedFiles) -> tuple[Operation, ...]:
        if not loading.asked(rendered):
            return ()
        what = loading.loading(release, self._documents(cluster, release, rendered))
        if loading.held(cluster, what):
            return ()
        size = size_words(what.total_bytes)
        return (Operation("load-weights", {"claim": what.claim, "bytes": size, "namespace": cluster.namespace}),)

    def _upgrade(self, cluster: Cluster, release: Release, rendered: RenderedFiles) -> None:
        budget_s = manifest.budget_s(self._documents(cluster, release, rendered))
        watch = Watch(cluster, serving(release.name), self._progress)
        change.upgrade(cluster, self._helm(cluster), release, self._folder(), budget_s, self._sum(rendered), watch)

    @staticmethod
    def _tail(cluster: Cluster, pods: tuple[Document, ...], part: str, lines: int) -> tuple[str, ...]:
        """None where none can be had: what is asked for besides is told all the same."""
        try:
            return logs.tail(cluster, pods, part, lines)
        except InstallError:
            return ()


def _values(rendered: RenderedFiles) -> str:
    return next(one.content for one in rendered.files if one.path == VALUES_FILE)
