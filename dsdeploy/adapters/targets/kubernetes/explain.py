"""Why pods do not become ready: pure, from what the API server says of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dsdeploy.core.texts import Text, text

Document = dict[str, Any]
NOW_S, SOON_S = 0, 30


@dataclass(frozen=True, slots=True)
class Seen:
    """What a release has in the cluster; `events` are those of its objects, oldest first.

    `lost` are nodes of its pods that do not answer, as far as nodes may be read; `at` is when it was looked (RFC 3339).
    """

    owners: tuple[Document, ...]
    pods: tuple[Document, ...]
    claims: tuple[Document, ...]
    events: tuple[Document, ...]
    lost: tuple[str, ...] = ()
    at: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """What stands in the way. It may pass by itself within `patience_s`; None is as long as things usually wait.

    `pod` and `container` say whose last log lines tell more; `previous` that they are those of the run before.
    """

    message: Text
    hint: Text
    patience_s: int | None = None
    pod: str | None = None
    container: str | None = None
    previous: bool = False


def causes(seen: Seen) -> tuple[Cause, ...]:
    """The worst first: what cannot pass by itself before what may."""
    found = (*_refused(seen), *_unbound(seen), *(one for pod in seen.pods for one in _of_pod(pod, seen)))
    return tuple(sorted(found, key=lambda one: 1e9 if one.patience_s is None else one.patience_s))


def news(event: Document) -> Text | None:
    """What a person wants to hear of while waiting."""
    what = str(event["involvedObject"]["name"])
    node = str((event.get("source") or {}).get("host") or event.get("reportingInstance") or "?")
    said = str(event.get("message", ""))
    match event.get("reason"):
        case "Pulling":
            return text("news-pulling", node=node, image=said.partition('"')[2].partition('"')[0])
        case "Pulled":
            return text("news-pulled", node=node, said=said)
        case "Scheduled":
            return text("news-scheduled", pod=what, node=said.rpartition(" to ")[2])
        case "Started":
            return text("news-started", pod=what, said=said)
        case (
            "FailedScheduling" | "FailedMount" | "FailedAttachVolume" | "FailedCreate" | "BackOff" | "Failed"
            | "ProvisioningFailed"
        ):  # fmt: skip
            return text("news-trouble", what=what, said=said)
        case _:
            return None


def ready(pod: Document) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in _conditions(pod))


def containers(pod: Document) -> tuple[Document, ...]:
    """The states of all its containers, those that prepare first."""
    status = pod.get("status") or {}
    return (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))


def _refused(seen: Seen) -> Iterator[Cause]:
    """Pods that the API server does not let into being."""
    said = [
        str(one["message"]) for one in _conditions_of(seen.owners)
        if one["type"] == "ReplicaFailure" and one["status"] == "True"
    ]  # fmt: skip
    last = (_last(seen, one["metadata"]["uid"], ("FailedCreate", "SuccessfulCreate")) for one in seen.owners)
    said += [words for reason, words in last if reason == "FailedCreate"]
    for one in dict.fromkeys(said):
        if "exceeded quota" in one:
            yield Cause(text("pods-over-quota", said=one), text("pods-over-quota-hint"), 5)
        elif "violates PodSecurity" in one:
            yield Cause(text("pods-not-admitted", said=one), text("pods-not-admitted-hint"), 5)
        else:
            yield Cause(text("pods-refused", said=one), text("pods-refused-hint"), SOON_S)


def _of_pod(pod: Document, seen: Seen) -> Iterator[Cause]:
    name = pod["metadata"]["name"]
    node = (pod.get("spec") or {}).get("nodeName") or "?"
    for one in _conditions(pod):
        if one["type"] == "PodScheduled" and one["status"] == "False":
            yield _unscheduled(name, str(one.get("message", "")))
    lost = (pod.get("status") or {}).get("reason") == "NodeLost" or node in seen.lost
    if lost and not ready(pod):
        yield Cause(text("node-lost", pod=name, node=node), text("node-lost-hint", node=node))
    ends = str(pod["metadata"].get("deletionTimestamp") or "")
    if ends and ends < seen.at:  # that moment holds its grace already
        yield Cause(text("pod-lingers", pod=name, node=node), text("pod-lingers-hint", node=node))
    for one in containers(pod):
        yield from _of_container(name, one)
    if not any((one.get("state") or {}).get("running") for one in containers(pod)):
        yield from _of_volumes(name, pod["metadata"]["uid"], seen)


def _of_volumes(pod: str, uid: str, seen: Seen) -> Iterator[Cause]:
    """An image is pulled once all volumes are mounted, and may take long."""
    reason, said = _last(
        seen, uid, ("FailedMount", "FailedAttachVolume", "SuccessfulAttachVolume", "Pulling", "Pulled")
    )
    if reason == "FailedMount":
        yield Cause(text("volume-not-mounted", pod=pod, said=said), text("volume-not-mounted-hint"), SOON_S)
    if reason == "FailedAttachVolume":
        yield Cause(text("volume-held-elsewhere", pod=pod, said=said), text("volume-held-elsewhere-hint"))


def _last(seen: Seen, uid: str, reasons: tuple[str, ...]) -> tuple[str, str]:
    """The last of these events of an object, and its words: events outlive what they told of."""
    told = [one for one in seen.events if one["involvedObject"].get("uid") == uid and one.get("reason") in reasons]
    return (str(told[-1]["reason"]), str(told[-1]["message"])) if told else ("", "")


def _unscheduled(pod: str, said: str) -> Cause:
    if "persistentvolumeclaim" in said.lower():
        return Cause(text("claim-in-the-way", pod=pod, said=said), text("claim-in-the-way-hint"))
    return Cause(text("pod-not-placed", pod=pod, said=said), text("pod-not-placed-hint"))


def _of_container(pod: str, status: Document) -> Iterator[Cause]:
    waiting = (status.get("state") or {}).get("waiting") or {}
    ended = (status.get("state") or {}).get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    name, reason, said = str(status["name"]), str(waiting.get("reason", "")), str(waiting.get("message", ""))
    image = str(status.get("image", ""))
    match reason:
        case "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull":
            yield Cause(text("image-refused", image=image, said=said), text("image-refused-hint"), NOW_S)
        case "ErrImagePull":
            yield Cause(text("image-refused", image=image, said=said), text("image-refused-hint"), SOON_S)
        case "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError":
            yield Cause(text("container-not-made", pod=pod, said=said), text("container-not-made-hint"), SOON_S)
    again = bool(waiting) and status.get("restartCount", 0) > 0
    if ended and (again or reason == "CrashLoopBackOff" or ended.get("exitCode")):
        code = str(ended.get("exitCode", "?"))
        worth = NOW_S if status.get("restartCount", 0) >= 2 or reason == "CrashLoopBackOff" else SOON_S
        if ended.get("reason") == "OOMKilled":
            yield Cause(
                text("container-out-of-memory", pod=pod, container=name), text("container-out-of-memory-hint"), NOW_S,
                pod, name, previous=True,
            )  # fmt: skip
        elif not (status.get("ready") and status.get("started")):
            running = bool((status.get("state") or {}).get("terminated"))
            yield Cause(
                text("container-ended", pod=pod, container=name, code=code), text("container-ended-hint"), worth,
                pod, name, previous=not running,
            )  # fmt: skip


def _unbound(seen: Seen) -> Iterator[Cause]:
    for one in seen.claims:
        name = one["metadata"]["name"]
        if (one.get("status") or {}).get("phase") == "Bound":
            continue
        said = [str(event["message"]) for event in seen.events if event["involvedObject"].get("name") == name]
        words = said[-1] if said else str((one.get("spec") or {}).get("storageClassName") or "-")
        if "waiting for first consumer" not in words:
            yield Cause(text("claim-pending", claim=name, said=words), text("claim-pending-hint"))


def _conditions(one: Document) -> list[Document]:
    return (one.get("status") or {}).get("conditions") or []


def _conditions_of(many: tuple[Document, ...]) -> Iterator[Document]:
    for one in many:
        yield from _conditions(one)
