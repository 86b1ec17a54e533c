"""Looks at a release while it comes up: tells what happens, and ends the wait for what will not pass by itself."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from dsdeploy.adapters.targets.kubernetes.connection import Cluster
from dsdeploy.adapters.targets.kubernetes.explain import Cause, Seen, causes, news
from dsdeploy.core.errors import ClusterAway, ClusterRefused, EngineDied, InstallError, NotStarted
from dsdeploy.core.progress import Progress
from dsdeploy.core.texts import Text, text

Document = dict[str, Any]
_LOOK_EVERY_S = 2
_LOG_LINES = 20
_PASSING = "test, loader"  # a pod of `helm test` ends and stays; one that brings weights serves nobody
_OWNERS = (("apps/v1", "Deployment"), ("apps/v1", "ReplicaSet"), ("apps/v1", "StatefulSet"))


def selector(release: str) -> str:
    return f"app.kubernetes.io/instance={release}"


def serving(release: str) -> str:
    """The same without what only passes by."""
    return f"{selector(release)},app.kubernetes.io/component notin ({_PASSING})"


def look(cluster: Cluster, chosen: str) -> Seen:
    """At what that label selector chooses. Raises as `Cluster`."""
    owners = tuple(one for kind in _OWNERS for one in cluster.list(*kind, chosen))
    pods = cluster.list("v1", "Pod", chosen)
    used = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in pods for volume in pod["spec"].get("volumes") or () if "persistentVolumeClaim" in volume
    }  # fmt: skip
    claims = tuple(one for one in cluster.list("v1", "PersistentVolumeClaim") if one["metadata"]["name"] in used)
    ours = {one["metadata"]["uid"] for one in (*owners, *pods, *claims)}
    events = [one for one in cluster.list("v1", "Event") if one["involvedObject"].get("uid") in ours]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Seen(owners, pods, claims, tuple(sorted(events, key=_moment)), tuple(_lost(cluster, pods)), now)


def _lost(cluster: Cluster, pods: tuple[Document, ...]) -> Iterator[str]:
    """Nodes of `pods` that do not answer; none where nodes may not be read."""
    with suppress(ClusterRefused):
        for name in {one["spec"]["nodeName"] for one in pods if one["spec"].get("nodeName")}:
            conditions = ((cluster.read("v1", "Node", name) or {}).get("status") or {}).get("conditions") or ()
            if not any(one["type"] == "Ready" and one["status"] == "True" for one in conditions):
                yield name


class Watch:
    """Called again and again until what `chosen` selects is ready. Raises NotStarted or EngineDied with the cause.

    A cluster that cannot be asked for a while ends nothing: Helm waits on, up to its own time.
    """

    def __init__(self, cluster: Cluster, chosen: str, progress: Progress) -> None:
        self._cluster, self._chosen, self._progress = cluster, chosen, progress
        self._usual_s = float(os.environ.get("DSDEPLOY_BLOCKED_S") or 180)
        self._since: dict[str, float] = {}
        self._told: set[str] = set()
        self._began, self._next = datetime.now(UTC).isoformat(timespec="seconds"), 0.0
        self._last: Cause | None = None

    def __call__(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _LOOK_EVERY_S
        try:
            seen = look(self._cluster, self._chosen)
        except (ClusterAway, ClusterRefused):
            return
        self._tell(seen)
        found = causes(replace(seen, events=tuple(one for one in seen.events if self._new(one))))
        now = time.monotonic()
        kept = {one.message.id: self._since.get(one.message.id, now) for one in found}  # words change at each try
        self._since, self._last = kept, found[0] if found else None
        for one in found:
            patience_s = self._usual_s if one.patience_s is None else min(one.patience_s, self._usual_s)
            if now - kept[one.message.id] >= patience_s:
                raise explained(self._cluster, one)

    def finish(self) -> None:
        """Tells what happened since the last look."""
        with suppress(ClusterAway, ClusterRefused):
            self._tell(look(self._cluster, self._chosen))

    def why(self) -> InstallError | None:
        """What stood in the way when last looked."""
        return explained(self._cluster, self._last) if self._last else None

    def _new(self, event: Document) -> bool:
        return _moment(event) >= self._began

    def _tell(self, seen: Seen) -> None:
        for event in seen.events:
            said = news(event) if self._new(event) else None
            if said and str(said) not in self._told:
                self._told.add(str(said))
                self._progress.begin(said)


def explained(cluster: Cluster, cause: Cause) -> InstallError:
    """The error for `cause`, with the container's last lines where it left any."""
    if cause.pod is None or cause.container is None:
        return NotStarted(cause.message, hint=cause.hint)
    lines: tuple[str, ...] = ()
    with suppress(InstallError):
        lines = tuple(cluster.log(cause.pod, cause.container, _LOG_LINES, previous=cause.previous))
    with suppress(InstallError):
        lines = lines or tuple(cluster.log(cause.pod, cause.container, _LOG_LINES))
    message: Text = text("with-log", said=cause.message, log="\n".join(lines) or "-")
    return EngineDied(message, hint=cause.hint)


def _moment(event: Document) -> str:
    """RFC 3339 in UTC to the second: sorts as text."""
    said = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or ""
    return str(said).split(".")[0].rstrip("Z") + "+00:00"
