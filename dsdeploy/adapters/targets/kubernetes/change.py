"""One change of a release in its namespace: what stands in its way is put aside, then Helm works under watch."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dsdeploy.adapters.targets.kubernetes.connection import Cluster, Document
from dsdeploy.adapters.targets.kubernetes.explain import ready
from dsdeploy.adapters.targets.kubernetes.helm import Helm, worked_here
from dsdeploy.adapters.targets.kubernetes.watch import Watch, selector
from dsdeploy.core.errors import HelmBusy, InstallError
from dsdeploy.core.layout import RUN_FOLDER, VALUES_FILE
from dsdeploy.core.texts import text
from dsdeploy.core.values import Release

ENGINE = "app.kubernetes.io/component=engine"
END_S = 180
_GROUPS = ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet")
_LOOK_S = 1
_FOREIGN_S = 7200  # another machine's Helm may wait for a large model this long


def of_component(pods: tuple[Document, ...], component: str) -> tuple[Document, ...]:
    labels = ((one, one["metadata"].get("labels") or {}) for one in pods)
    return tuple(one for one, own in labels if own.get("app.kubernetes.io/component") == component)


def all_ready(cluster: Cluster, release: Release) -> bool:
    """Whether each controller has all the pods that it was asked for, of this version, ready."""
    chosen = selector(release.name)
    single = cluster.list("apps/v1", "Deployment", chosen)
    groups = cluster.list(*_GROUPS, chosen) if cluster.has(*_GROUPS) else ()
    pods = of_component(cluster.list("v1", "Pod", chosen), "engine") if groups else ()
    return bool(single or groups) and all(map(_settled, single)) and all(_group_settled(one, pods) for one in groups)


def stuck(cluster: Cluster, release: Release) -> bool:
    """Whether engines of an older change stand there that serve nobody, on devices that the next ones need."""
    pods = of_component(cluster.list("v1", "Pod", selector(release.name)), "engine")
    return bool(pods) and not any(map(ready, pods))


def free_devices(cluster: Cluster, release: Release) -> None:
    """Ends those engines, and returns once no pod of theirs is left. Raises InstallError."""
    chosen = f"{selector(release.name)},{ENGINE}"
    for one in cluster.list("apps/v1", "Deployment", chosen):
        cluster.scale_to_zero(one["metadata"]["name"])
    if cluster.has(*_GROUPS):
        for one in cluster.list(*_GROUPS, chosen):
            cluster.delete(*_GROUPS, one["metadata"]["name"], made_by_it_first=True)
    end = time.monotonic() + END_S
    while of_component(cluster.list("v1", "Pod", selector(release.name)), "engine"):
        if time.monotonic() > end:
            raise InstallError(text("pods-do-not-end", name=release.name), hint=text("pods-do-not-end-hint"))
        time.sleep(_LOOK_S)


def take_up(cluster: Cluster, helm: Helm, release: Release) -> None:
    """Drops the record of a change that no Helm is working on any more: Helm itself would refuse for ever.

    What that change had made is adopted by the next one, by the release's name in its annotations.
    """
    found = helm.status(release.name)
    if found is None or not found.pending:
        return
    end = time.monotonic() + END_S
    while working := worked_here(_note(release), found.revision):
        if time.monotonic() > end:
            break
        time.sleep(_LOOK_S)
    ended = helm.status(release.name)
    if ended is None or not ended.pending or ended.revision != found.revision:
        return
    name = f"sh.helm.release.v1.{release.name}.v{found.revision}"
    record = cluster.read("v1", "Secret", name)
    if record is None:
        return
    if working or (working is None and _age_s(record) < _FOREIGN_S):
        raise HelmBusy(text("helm-busy-since", status=found.status), hint=text("helm-busy-hint"))
    cluster.delete("v1", "Secret", name)


def upgrade(
    cluster: Cluster, helm: Helm, release: Release, chart: Path, budget_s: int, description: str, watch: Watch
) -> None:
    """Installs or upgrades by the values in the release's folder. Raises InstallError with what stood in the way."""
    end = time.monotonic() + budget_s
    try:
        helm.upgrade(
            release.name, chart, Path(release.folder) / VALUES_FILE,
            description=description, timeout_s=budget_s, note=_note(release), watch=watch,
        )  # fmt: skip
        while not all_ready(cluster, release):  # Helm knows nothing of groups, and takes them as ready at once
            watch()
            if time.monotonic() > end:
                message = text("not-ready-in-time", name=release.name, seconds=budget_s)
                raise InstallError(message, hint=text("not-ready-in-time-hint"))
            time.sleep(_LOOK_S)
    except InstallError as error:
        why = None if isinstance(error, HelmBusy) or type(error) is not InstallError else watch.why()
        if why is not None:
            raise why from error
        raise
    watch.finish()


def _settled(one: dict[str, Any]) -> bool:
    status, wanted = one.get("status") or {}, int(one["spec"].get("replicas", 1))
    current = status.get("observedGeneration") == one["metadata"]["generation"]
    return current and int(status.get("updatedReplicas", 0)) == wanted == int(status.get("readyReplicas", 0))


def _group_settled(group: Document, pods: tuple[Document, ...]) -> bool:
    """By its pods: what a LeaderWorkerSet says of itself does not tell of which generation it speaks."""
    inner = group["spec"]["leaderWorkerTemplate"]
    worker = inner["workerTemplate"]
    templates = {"leader": inner.get("leaderTemplate") or worker, "worker": worker}
    wanted = int(group["spec"].get("replicas", 1)) * int(inner.get("size", 1))
    return len(pods) == wanted and all(
        ready(one) and "deletionTimestamp" not in one["metadata"]
        and _made_from(one, templates[one["metadata"]["labels"].get("dsdeploy.io/role", "leader")])
        for one in pods
    )  # fmt: skip


def _made_from(pod: Document, template: Document) -> bool:
    real, asked = pod["spec"]["containers"][0], template["spec"]["containers"][0]
    told = {one["name"]: one.get("value") or "" for one in real.get("env") or ()}
    same = all(real.get(part) == asked.get(part) for part in ("image", "command", "args"))
    return same and all(told.get(one["name"]) == (one.get("value") or "") for one in asked.get("env") or ())


def _note(release: Release) -> Path:
    return Path(release.folder) / RUN_FOLDER / "helm.json"


def _age_s(record: Document) -> float:
    began = datetime.fromisoformat(str(record["metadata"]["creationTimestamp"]).replace("Z", "+00:00"))
    return (datetime.now(UTC) - began).total_seconds()
