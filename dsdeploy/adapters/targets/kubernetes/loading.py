"""Brings verified weights from this machine's store onto a claim, through a short-lived pod of the engine's own image.

Nothing but the API server need be reachable. A file that is there whole is not sent again, one that was cut off goes on
where it ended, and the pod verifies all of them by the very step that every engine starts with.
"""

import hashlib
import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dsdeploy.adapters.cluster.nodes import quantity
from dsdeploy.adapters.targets.kubernetes.connection import Cluster, Document
from dsdeploy.adapters.targets.kubernetes.manifest import workloads
from dsdeploy.adapters.targets.kubernetes.streams import feed
from dsdeploy.adapters.targets.kubernetes.watch import Watch, selector
from dsdeploy.adapters.templates import chart_folder
from dsdeploy.core.errors import ClaimTooSmall, InstallError, LoadBusy, WeightsRefused
from dsdeploy.core.layout import SITE_FILE
from dsdeploy.core.progress import Progress
from dsdeploy.core.sizes import size_words
from dsdeploy.core.texts import text
from dsdeploy.core.values import Release, RenderedFiles, WeightFile

LOADER = "loader"
_HELD = "dsdeploy.io/weights"
_SENDER = "dsdeploy.io/sender"
_CLAIM, _TOOLS = "/claim", "/opt/dsdeploy"
_LONGEST_S = 24 * 3600
_END_S = 60
_LOOK_S = 1
_PIECE_BYTES = 1 << 20
_SLOWEST_BYTES_PER_S = 20_000_000
_LEAST_S = 300


@dataclass(frozen=True, slots=True)
class Loading:
    """What goes where: `claim` is the claim's name, `made` the one that the chart makes; `python` is the image's."""

    claim: str
    sub_path: str
    python: str
    template: Document
    made: Document | None
    files: tuple[WeightFile, ...]

    @property
    def total_bytes(self) -> int:
        return sum(one.size_bytes for one in self.files)

    @property
    def folder(self) -> str:
        return f"{_CLAIM}/{self.sub_path}" if self.sub_path else _CLAIM

    @property
    def manifest(self) -> str:
        """As the chart writes it for its own verification: "sha256 size name"."""
        return "".join(f"{one.sha256} {one.size_bytes} {one.name}\n" for one in self.files)

    @property
    def mark(self) -> str:
        """What the claim remembers once everything was verified there."""
        return hashlib.sha256(f"{self.sub_path}\n{self.manifest}".encode()).hexdigest()[:32]


def asked(rendered: RenderedFiles) -> bool:
    """Whether the site wants the weights sent: `weights: {source: pvc, load: true}`."""
    content = next((one.content for one in rendered.files if one.path == SITE_FILE), "")
    weights = (yaml.safe_load(content) or {}).get("weights") or {}
    return bool(weights.get("load")) and weights.get("source") == "pvc"


def loading(release: Release, many: tuple[Document, ...]) -> Loading:
    """By the rendered engine's own template: its image, its user, where it may be placed."""
    engine = next(work for work in workloads(many) if work.template["spec"].get("initContainers"))
    spec = engine.template["spec"]
    verify = spec["initContainers"][0]
    claim = next(one for one in spec["volumes"] if one["name"] == "weights")["persistentVolumeClaim"]["claimName"]
    mount = next(one for one in verify["volumeMounts"] if one["name"] == "weights")
    made = next((one for one in many if one["kind"] == "PersistentVolumeClaim"), None)
    python = verify["command"][0] if verify["command"][0] != "sh" else ""
    return Loading(claim, str(mount.get("subPath") or ""), python, engine.template, made, release.weights.files)


def held(cluster: Cluster, what: Loading) -> bool:
    """Whether the claim holds these very files, verified there."""
    claim = cluster.read("v1", "PersistentVolumeClaim", what.claim)
    return ((claim or {}).get("metadata", {}).get("annotations") or {}).get(_HELD) == what.mark


def load(cluster: Cluster, release: Release, what: Loading, progress: Progress) -> None:
    """Raises ClaimTooSmall, LoadBusy, WeightsRefused, NotStarted with what keeps the pod waiting, InstallError."""
    if not what.python:
        raise WeightsRefused(text("loader-no-python"), hint=text("loader-no-python-hint"))
    _judge_claim(cluster, release, what)
    pod = _started(cluster, release, what, progress)
    try:
        _send(cluster, pod, release, what, progress)
        _verify(cluster, pod, what, progress)
        cluster.annotate("v1", "PersistentVolumeClaim", what.claim, {_HELD: what.mark})
    finally:
        with suppress(InstallError):
            cluster.delete("v1", "Pod", pod)


def _judge_claim(cluster: Cluster, release: Release, what: Loading) -> None:
    if what.made is not None and cluster.read("v1", "PersistentVolumeClaim", what.claim) is None:
        cluster.apply(_owned_by_helm(what.made, release, cluster.namespace))
    claim = cluster.read("v1", "PersistentVolumeClaim", what.claim) or {}
    modes = (claim.get("spec") or {}).get("accessModes") or ()
    if modes and not any(one.startswith("ReadWrite") for one in modes):
        raise WeightsRefused(
            text("claim-read-only", claim=what.claim, modes=", ".join(modes)), hint=text("claim-read-only-hint")
        )
    size = ((claim.get("status") or {}).get("capacity") or {}).get("storage")
    if size and quantity(str(size)) < what.total_bytes:
        _too_small(what, int(quantity(str(size))))


def _owned_by_helm(claim: Document, release: Release, namespace: str) -> Document:
    """So that Helm, which comes later, takes it as its own."""
    notes = {"meta.helm.sh/release-name": release.name, "meta.helm.sh/release-namespace": namespace}
    metadata = claim["metadata"]
    return {**claim, "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), **notes}}}


def _started(cluster: Cluster, release: Release, what: Loading, progress: Progress) -> str:
    """The pod's name, once it runs: the one that an interrupted run of ours has left, else a new one."""
    name, sender = f"{release.name}-{LOADER}", _sender(release)
    left = cluster.read("v1", "Pod", name)
    ending = left is not None and "deletionTimestamp" in left["metadata"]
    if left is not None and not ending and _phase(left) in ("Pending", "Running"):
        other = (left["metadata"].get("annotations") or {}).get(_SENDER, "?")
        if other != sender:
            raise LoadBusy(text("load-busy", pod=name, sender=other), hint=text("load-busy-hint", pod=name))
    if left is not None and (ending or _phase(left) != "Running" or not _same(left, what)):
        _deleted(cluster, name)
        left = None
    if left is None:
        cluster.apply(_pod(release, what, name, sender))
    watch = Watch(cluster, f"{selector(release.name)},app.kubernetes.io/component={LOADER}", progress)
    while _phase(cluster.read("v1", "Pod", name) or {}) != "Running":
        watch()
        time.sleep(_LOOK_S)
    return name


def _deleted(cluster: Cluster, name: str) -> None:
    cluster.delete("v1", "Pod", name)
    end = time.monotonic() + _END_S
    while cluster.read("v1", "Pod", name) is not None:
        if time.monotonic() > end:
            raise InstallError(text("pods-do-not-end", name=name), hint=text("pods-do-not-end-hint"))
        time.sleep(_LOOK_S)


def _send(cluster: Cluster, pod: str, release: Release, what: Loading, progress: Progress) -> None:
    state = json.loads(_inside(cluster, pod, what, ("look", what.folder)))
    here = Path(release.weights.directory)
    missing = [one for one in what.files if state["held"].get(one.name) != one.size_bytes]
    begun = {one.name: _begun(one, int(state["parts"].get(one.name, 0))) for one in missing}
    if sum(one.size_bytes - begun[one.name] for one in missing) > int(state["free"]):
        _too_small(what, int(state["free"]))
    for one in missing:
        progress.begin(text("sending-weights", file=one.name, claim=what.claim), one.size_bytes)
        progress.advance(begun[one.name])
        pieces = _pieces(here / one.name, begun[one.name], progress)
        _inside(cluster, pod, what, ("take", f"{what.folder}/{one.name}", str(one.size_bytes)), pieces)
        progress.end()


def _begun(file: WeightFile, part_bytes: int) -> int:
    return part_bytes if part_bytes <= file.size_bytes else 0


def _pieces(path: Path, begun: int, progress: Progress) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(begun)
            while piece := file.read(_PIECE_BYTES):
                yield piece
                progress.advance(len(piece))
    except OSError as error:
        message = text("unreadable", path=path, reason=error)
        raise WeightsRefused(message, hint=text("weights-here-hint")) from error


def _verify(cluster: Cluster, pod: str, what: Loading, progress: Progress) -> None:
    """By the chart's own verify step, which leaves its stamp: the engines need not hash everything again."""
    progress.begin(text("verifying-weights-there", claim=what.claim), None)
    script = (chart_folder() / "files/weights/verify.py").read_bytes()
    tools = f"{_TOOLS}/{time.time_ns()}"  # an earlier run may have been cut off while it sent them
    for name, content in (("verify.py", script), ("manifest", what.manifest.encode())):
        _inside(cluster, pod, what, ("take", f"{tools}/{name}", str(len(content))), iter((content,)))
    slowest_s = _LEAST_S + max(one.size_bytes for one in what.files) / _SLOWEST_BYTES_PER_S
    words = (what.python, "-I", f"{tools}/verify.py", "stamp", "0", f"{tools}/manifest", what.folder)
    try:
        feed(cluster, pod, LOADER, words, iter(()), slowest_s)
    except InstallError as error:
        said = str(error.message.values.get("said", "?"))
        wrong = next((one for one in what.files if said.startswith(f"{one.name}: ")), None)
        if wrong is None:
            raise
        _inside(cluster, pod, what, ("drop", f"{what.folder}/{wrong.name}"))
        message = text("weights-differ-there", claim=what.claim, said=said)
        raise WeightsRefused(message, hint=text("weights-differ-there-hint")) from error
    finally:
        progress.end()


def _inside(
    cluster: Cluster, pod: str, what: Loading, words: tuple[str, ...], pieces: Iterator[bytes] | None = None
) -> str:
    receiver = Path(__file__).with_name("receiver.py").read_text(encoding="utf-8")
    command = (what.python, "-I", "-c", receiver, *words)
    return feed(cluster, pod, LOADER, command, pieces or iter(()), _LEAST_S)


def _too_small(what: Loading, free_bytes: int) -> None:
    needed, free = size_words(what.total_bytes), size_words(free_bytes)
    raise ClaimTooSmall(
        text("claim-too-small", claim=what.claim, needed=needed, free=free), hint=text("claim-too-small-hint")
    )


def _pod(release: Release, what: Loading, name: str, sender: str) -> Document:
    """As confined as the engine, where an engine could run, without its devices; it ends by itself in a day."""
    spec = what.template["spec"]
    engine, verify = spec["containers"][0], spec["initContainers"][0]
    labels = {
        "app.kubernetes.io/name": "dsdeploy",
        "app.kubernetes.io/instance": release.name,
        "app.kubernetes.io/component": LOADER,
    }
    kept = ("affinity", "nodeSelector", "tolerations", "imagePullSecrets", "securityContext", "schedulerName")
    container = {
        "name": LOADER,
        "image": engine["image"],
        "imagePullPolicy": "IfNotPresent",
        "command": [what.python, "-I", "-c", f"import time; time.sleep({_LONGEST_S})"],
        "securityContext": verify["securityContext"],
        "resources": {
            "requests": {**verify["resources"]["requests"], "cpu": "100m"},
            "limits": verify["resources"]["limits"],
        },
        "volumeMounts": [{"name": "weights", "mountPath": _CLAIM}, {"name": "tools", "mountPath": _TOOLS}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels, "annotations": {_SENDER: sender}},
        "spec": {
            **{part: spec[part] for part in kept if part in spec},
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": _LONGEST_S,
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
            "volumes": [
                {"name": "weights", "persistentVolumeClaim": {"claimName": what.claim}},
                {"name": "tools", "emptyDir": {"sizeLimit": "16Mi"}},
            ],
        },
    }


def _same(pod: Document, what: Loading) -> bool:
    claims = [one.get("persistentVolumeClaim", {}).get("claimName") for one in pod["spec"]["volumes"]]
    images = [one["spec"]["containers"][0]["image"] for one in (pod, what.template)]
    return what.claim in claims and images[0] == images[1]


def _phase(pod: dict[str, Any]) -> str:
    return str((pod.get("status") or {}).get("phase", ""))


def _sender(release: Release) -> str:
    """Which home of which machine sends: only that one takes up what it began."""
    return f"{socket.gethostname()}-{hashlib.sha256(release.folder.encode()).hexdigest()[:8]}"
