"""What would stop a release in this namespace, asked before anything is made there."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from dsdeploy.adapters.cluster.nodes import quantity
from dsdeploy.adapters.targets.kubernetes.connection import Cluster, Document
from dsdeploy.adapters.targets.kubernetes.manifest import Workload, claims, workloads
from dsdeploy.adapters.targets.kubernetes.watch import selector
from dsdeploy.core.errors import ClusterAway, ClusterRefused, InstallError
from dsdeploy.core.texts import text
from dsdeploy.core.values import Finding

_OLDEST = (1, 29)
_LEAST = "restricted"
_ONE_NODE, _ONE_POD = "ReadWriteOnce", "ReadWriteOncePod"
_ENFORCE = "pod-security.kubernetes.io/enforce"
_REACH = ("create", "get")
_WRITE = ("create", "delete", "get", "list", "patch", "update", "watch")
_READ = ("get", "list", "watch")
# what helm/rbac.yaml grants, and nothing more
RIGHTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("", "secrets", _WRITE),
    ("", "configmaps", _WRITE),
    ("", "services", _WRITE),
    ("", "serviceaccounts", _WRITE),
    ("", "persistentvolumeclaims", _WRITE),
    ("", "pods", _WRITE),
    ("", "pods/log", ("get",)),
    ("", "pods/portforward", _REACH),
    ("", "events", _READ),
    ("apps", "deployments", _WRITE),
    ("apps", "deployments/scale", ("patch",)),
    ("apps", "replicasets", _READ),
    ("apps", "statefulsets", _READ),
    ("networking.k8s.io", "networkpolicies", _WRITE),
    ("policy", "poddisruptionbudgets", _WRITE),
)
_WITH_KIND = {
    "LeaderWorkerSet": ("leaderworkerset.x-k8s.io", "leaderworkersets"),
    "ResourceClaimTemplate": ("resource.k8s.io", "resourceclaimtemplates"),
    "ServiceMonitor": ("monitoring.coreos.com", "servicemonitors"),
    "PrometheusRule": ("monitoring.coreos.com", "prometheusrules"),
    "HorizontalPodAutoscaler": ("autoscaling", "horizontalpodautoscalers"),
    "ScaledObject": ("keda.sh", "scaledobjects"),
    "Ingress": ("networking.k8s.io", "ingresses"),
    "HTTPRoute": ("gateway.networking.k8s.io", "httproutes"),
}
_ENFORCERS = ("calico", "cilium", "antrea", "kube-router", "weave", "ovn", "canal", "romana", "network-polic", "terway")


def cluster_findings(cluster: Cluster) -> tuple[Finding, ...]:
    """What holds for every release. Raises ClusterAway."""
    return (_version(cluster), rights(cluster, RIGHTS), *_namespace(cluster), _enforcer(cluster))


def release_findings(cluster: Cluster, release: str, many: tuple[Document, ...]) -> tuple[Finding, ...]:
    """What these rendered objects find. Raises ClusterAway."""
    extra = tuple(
        (*_WITH_KIND[kind], _WRITE) for kind in dict.fromkeys(one["kind"] for one in many) if kind in _WITH_KIND
    )
    kinds = tuple(_kinds(cluster, many))
    blocked = any(one.status == "fail" for one in kinds)
    found = (
        *kinds,
        *((rights(cluster, tuple((group, name, verbs) for group, name, verbs in extra)),) if extra else ()),
        *(tuple(_claimed(cluster, many)) or (_devices(cluster, release, workloads(many)),)),
        *_storage(cluster, many),
    )
    return found if blocked else (*found, _admitted(cluster, release, many))


def loader_findings(cluster: Cluster) -> tuple[Finding, ...]:
    """What sending weights onto a claim needs besides."""
    return (rights(cluster, (("", "pods/exec", _REACH),)),)


def _version(cluster: Cluster) -> Finding:
    said = cluster.version()
    number = re.match(r"v?(\d+)\.(\d+)", said)
    oldest = ".".join(map(str, _OLDEST))
    if number is None or (int(number[1]), int(number[2])) < _OLDEST:
        message = text("kubernetes-too-old", version=said, oldest=oldest)
        return Finding("kubernetes-version", "fail", message, text("kubernetes-too-old-hint", oldest=oldest), said)
    answers = text("kubernetes-answers", version=said, context=cluster.context, namespace=cluster.namespace)
    return Finding("kubernetes-version", "pass", answers, None, said, oldest)


def rights(cluster: Cluster, wanted: tuple[tuple[str, str, tuple[str, ...]], ...]) -> Finding:
    """Whether these credentials have them all: API group, resource, verbs. Raises ClusterAway."""
    missing = [
        f"{verb} {resource}{f'.{group}' if group else ''}"
        for group, resource, verbs in wanted for verb in verbs if not cluster.may(verb, group, resource)
    ]  # fmt: skip
    if missing:
        message = text("rights-missing", namespace=cluster.namespace, rights=", ".join(missing))
        return Finding("kubernetes-rights", "fail", message, text("rights-missing-hint"))
    return Finding("kubernetes-rights", "pass", text("rights-enough", namespace=cluster.namespace))


def _namespace(cluster: Cluster) -> Iterator[Finding]:
    name = cluster.namespace
    try:
        found = cluster.read("v1", "Namespace", name)
    except ClusterRefused:
        yield Finding("pod-security", "warn", text("namespace-not-readable", name=name), text("namespace-read-hint"))
        return
    if found is None:
        yield Finding("namespace", "fail", text("namespace-missing", name=name), text("namespace-hint", name=name))
    elif (found.get("status") or {}).get("phase") == "Terminating":
        yield Finding("namespace", "fail", text("namespace-ending", name=name), text("namespace-ending-hint"))
    else:
        level = (found["metadata"].get("labels") or {}).get(_ENFORCE, "privileged")
        status, hint = ("pass", None) if level == _LEAST else ("warn", text("pod-security-hint", name=name))
        yield Finding("pod-security", status, text("pod-security-is", name=name, level=level), hint, level, _LEAST)


def _enforcer(cluster: Cluster) -> Finding:
    """Best effort: no API says whether network policies are enforced; the agents that do it are known by name."""
    hint = text("policies-hint")
    try:
        agents = cluster.list("apps/v1", "DaemonSet", everywhere=True)
    except ClusterRefused:
        return Finding("network-policies-enforced", "warn", text("policies-unknown"), hint)
    known = [one["metadata"]["name"] for one in agents if any(word in one["metadata"]["name"] for word in _ENFORCERS)]
    if known:
        return Finding("network-policies-enforced", "pass", text("policies-agent", agent=known[0]))
    return Finding("network-policies-enforced", "warn", text("policies-no-agent"), hint)


def _kinds(cluster: Cluster, many: tuple[Document, ...]) -> Iterator[Finding]:
    ids = {"LeaderWorkerSet": "leader-worker-set", "ResourceClaimTemplate": "dynamic-resources"}
    for api, kind in dict.fromkeys((one["apiVersion"], one["kind"]) for one in many):
        if kind in _WITH_KIND:
            id = ids.get(kind, "kinds-served")
            if cluster.has(api, kind):
                yield Finding(id, "pass", text("kind-served", kind=kind, api=api))
            else:
                yield Finding(id, "fail", text("kind-not-served", kind=kind, api=api), text("kind-hint", kind=kind))


def _claimed(cluster: Cluster, many: tuple[Document, ...]) -> Iterator[Finding]:
    """Whether the classes are there of which devices are claimed, as far as they may be read."""
    for one in many:
        if one["kind"] != "ResourceClaimTemplate":
            continue
        for asked in one["spec"]["spec"]["devices"]["requests"]:
            name = asked["exactly"]["deviceClassName"]
            found = Finding("devices-free", "skip", text("devices-claimed", name=name))
            with suppress(ClusterRefused):
                if cluster.read(one["apiVersion"], "DeviceClass", name) is None:
                    hint = text("device-class-missing-hint")
                    found = Finding("devices-free", "fail", text("device-class-missing", name=name), hint)
            yield found


def _devices(cluster: Cluster, release: str, wanted: tuple[Workload, ...]) -> Finding:
    """Whether the nodes' free devices hold every pod at once; this release's own are counted as free."""
    asked = [one for one in wanted for _ in range(one.pods) if one.devices]
    if not asked:
        return Finding("devices-free", "skip", text("devices-not-asked"))
    try:
        nodes, pods = cluster.list("v1", "Node"), cluster.list("v1", "Pod", everywhere=True)
    except ClusterRefused:
        return Finding("devices-free", "warn", text("devices-unknown"), text("devices-unknown-hint"))
    resource = next(iter(asked[0].devices))
    free = _free(nodes, pods, resource, release, cluster.namespace)
    measured = ", ".join(f"{name}: {count}" for name, count in free.items()) or "-"
    needs = sorted((one.devices.get(resource, 0) for one in asked), reverse=True)
    limit = " + ".join(map(str, needs))
    left = dict(free)
    for need in needs:
        place = min((name for name, count in left.items() if count >= need), key=lambda name: left[name], default=None)
        if place is None:
            told = any(resource in (one["status"].get("allocatable") or {}) for one in nodes)
            id, hint = (
                ("devices-too-few", "devices-too-few-hint") if told else ("devices-absent", "devices-absent-hint")
            )
            message = text(id, resource=resource, needed=limit, free=measured)
            return Finding("devices-free", "fail", message, text(hint, resource=resource), measured, limit)
        left[place] -= need
    return Finding(
        "devices-free", "pass", text("devices-enough", resource=resource, free=measured), None, measured, limit
    )


def _free(
    nodes: tuple[Document, ...], pods: tuple[Document, ...], resource: str, release: str, namespace: str
) -> dict[str, int]:
    """Devices that pods could have now, by node: ready, schedulable nodes only."""
    key, _, value = selector(release).partition("=")
    free = {
        one["metadata"]["name"]: int(quantity(str((one["status"].get("allocatable") or {}).get(resource, "0"))))
        for one in nodes
        if not (one.get("spec") or {}).get("unschedulable")
        and any(it["type"] == "Ready" and it["status"] == "True" for it in one["status"].get("conditions") or ())
    }
    for one in pods:
        meta, node = one["metadata"], (one.get("spec") or {}).get("nodeName")
        ours = meta.get("namespace") == namespace and (meta.get("labels") or {}).get(key) == value
        over = (one.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if node in free and not ours and not over:
            for container in one["spec"].get("containers") or ():
                free[node] -= int(((container.get("resources") or {}).get("limits") or {}).get(resource, 0))
    return {name: count for name, count in free.items() if count > 0}


def _storage(cluster: Cluster, many: tuple[Document, ...]) -> Iterator[Finding]:
    for name in claims(many):
        found = cluster.read("v1", "PersistentVolumeClaim", name)
        phase = ((found or {}).get("status") or {}).get("phase", "")
        if found is None:
            yield Finding("storage", "fail", text("claim-missing", claim=name), text("claim-missing-hint", claim=name))
        elif phase == "Lost":
            yield Finding("storage", "fail", text("claim-lost", claim=name), text("claim-pending-hint"))
        elif phase != "Bound":
            yield Finding("storage", "warn", text("claim-is", claim=name, phase=phase), text("claim-pending-hint"))
        else:
            yield _shared(name, (found.get("spec") or {}).get("accessModes") or (), many)
    for one in many:
        kind = one["kind"] == "PersistentVolumeClaim" and one["spec"].get("storageClassName")
        with suppress(ClusterRefused):
            if kind and cluster.read("storage.k8s.io/v1", "StorageClass", kind) is None:
                message = text("storage-class-missing", name=kind, claim=one["metadata"]["name"])
                yield Finding("storage", "warn", message, text("storage-class-missing-hint"))


def _shared(claim: str, modes: Sequence[str], many: tuple[Document, ...]) -> Finding:
    """Whether a bound claim serves every pod that reads it, on whatever node."""
    pods = sum(one.pods for one in workloads(many) if claim in one.claims)
    if pods < 2 or not modes or not set(modes) <= {_ONE_NODE, _ONE_POD}:
        return Finding("storage", "pass", text("claim-is", claim=claim, phase="Bound"))
    message = text("claim-for-one", claim=claim, modes=", ".join(modes), pods=pods)
    return Finding("storage", "warn" if _ONE_NODE in modes else "fail", message, text("claim-for-one-hint"))


def _admitted(cluster: Cluster, release: str, many: tuple[Document, ...]) -> Finding:
    """The API server's own word: a dry run of each object, and of a pod from each template (that is where admission
    of pods speaks)."""
    try:
        for one in many:
            cluster.apply(one, dry_run=True)
        for work in workloads(many):
            cluster.rehearse(_pod(release, work))
    except ClusterAway:
        raise
    except InstallError as error:
        return Finding("objects-admitted", "fail", error.message, error.hint)
    return Finding("objects-admitted", "pass", text("objects-admitted", count=len(many)))


def _pod(release: str, work: Workload) -> dict[str, Any]:
    """Under the namespace's own service account: the release's is not there yet."""
    labels = (work.template.get("metadata") or {}).get("labels") or {}
    metadata = {"generateName": f"{release}-rehearsal-", "labels": labels}
    spec = {name: value for name, value in work.template["spec"].items() if not name.startswith("serviceAccount")}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
