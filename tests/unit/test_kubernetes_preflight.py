"""What the preflight makes of a cluster's answers, those too that the tests' own cluster never gives."""

import pytest

from dsdeploy.adapters.targets.kubernetes.preflight import cluster_findings, release_findings
from dsdeploy.core.errors import ClusterRefused
from dsdeploy.core.texts import text

GPU = "nvidia.com/gpu"
RESTRICTED = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}


class Answers:
    """A cluster of fixed answers; what is None may not be asked. It admits whatever is rehearsed."""

    context, namespace = "site", "llm"

    def __init__(
        self,
        version="v1.34.1",
        denied=(),
        namespace=RESTRICTED,
        agents=(),
        nodes=(),
        pods=(),
        claim="absent",
        classed=None,
        stored=None,
    ):
        self.words, self.denied = version, denied
        self.one = {"Namespace": namespace, "PersistentVolumeClaim": claim, "DeviceClass": classed}
        self.one["StorageClass"] = stored
        self.many = {"DaemonSet": agents, "Node": nodes, "Pod": pods}

    def version(self):
        return self.words

    def may(self, verb, group, resource):
        return f"{verb} {resource}" not in self.denied

    def read(self, api, kind, name, namespace=None):
        return self._told(self.one[kind])

    def has(self, api, kind):
        return True

    def list(self, api, kind, selector="", *, everywhere=False):
        return self._told(self.many[kind])

    def apply(self, document, *, dry_run=False):
        assert dry_run

    def rehearse(self, document):
        pass

    @staticmethod
    def _told(answer):
        if answer is None:
            raise ClusterRefused(text("helm-busy"), hint=text("helm-busy-hint"))
        return None if answer == "absent" else answer


def told(findings) -> dict[str, tuple[str, str]]:
    assert all(one.hint.render("zh") for one in findings if one.status in ("warn", "fail"))
    return {one.id: (one.status, one.message.render("en")) for one in findings}


@pytest.mark.parametrize(
    ("id", "status", "words", "answers"),
    [
        ("kubernetes-version", "pass", "v1.34.1", {}),
        ("kubernetes-version", "fail", "v1.28.9", {"version": "v1.28.9"}),
        ("kubernetes-version", "fail", "unheard-of", {"version": "unheard-of"}),
        ("kubernetes-rights", "pass", "llm", {}),
        ("kubernetes-rights", "fail", "patch deployments/scale.apps", {"denied": ("patch deployments/scale",)}),
        ("pod-security", "pass", "restricted", {}),
        ("pod-security", "warn", "privileged", {"namespace": {"metadata": {}}}),
        ("pod-security", "warn", "llm", {"namespace": None}),
        ("namespace", "fail", "llm", {"namespace": "absent"}),
        ("namespace", "fail", "llm", {"namespace": {"metadata": {}, "status": {"phase": "Terminating"}}}),
        ("network-policies-enforced", "pass", "cilium", {"agents": ({"metadata": {"name": "cilium"}},)}),
        ("network-policies-enforced", "warn", "", {"agents": ({"metadata": {"name": "flannel"}},)}),
        ("network-policies-enforced", "warn", "", {"agents": None}),
    ],
)
def test_what_holds_for_every_release(id, status, words, answers):
    found = told(cluster_findings(Answers(**answers)))
    assert found[id][0] == status and words in found[id][1]


def node(name, count, ready="True", **spec):
    status = {"allocatable": {GPU: str(count)}, "conditions": [{"type": "Ready", "status": ready}]}
    return {"metadata": {"name": name}, "spec": spec, "status": status}


def taken(on, count, namespace="other", **labels):
    container = {"resources": {"limits": {GPU: str(count)}}}
    spec = {"nodeName": on, "containers": [container]}
    return {"metadata": {"namespace": namespace, "labels": labels}, "spec": spec, "status": {"phase": "Running"}}


OURS = {"app.kubernetes.io/instance": "svc"}
EIGHT = (node("a", 8), node("b", 8))


def deployment(replicas, devices, claim=None):
    container = {"name": "engine", "resources": {"limits": {GPU: devices, "cpu": "8"}}}
    volumes = [{"name": "w", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    template = {"metadata": {}, "spec": {"containers": [container], "volumes": volumes}}
    spec = {"replicas": replicas, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "e"}, "spec": spec}


@pytest.mark.parametrize(
    ("status", "replicas", "devices", "answers"),
    [
        ("pass", 2, 8, {"nodes": EIGHT}),
        ("fail", 3, 8, {"nodes": EIGHT}),
        ("pass", 3, 5, {"nodes": (*EIGHT, node("c", 5))}),
        ("fail", 2, 8, {"nodes": EIGHT, "pods": (taken("b", 1),)}),
        ("pass", 2, 8, {"nodes": EIGHT, "pods": (taken("b", 8, "llm", **OURS),)}),
        ("fail", 2, 8, {"nodes": EIGHT, "pods": (taken("b", 8, "another-llm", **OURS),)}),
        ("fail", 2, 8, {"nodes": (node("a", 8), node("b", 8, unschedulable=True))}),
        ("fail", 2, 8, {"nodes": (node("a", 8), node("b", 8, "Unknown"))}),
        ("fail", 1, 12, {"nodes": EIGHT}),
        ("warn", 1, 8, {"nodes": None}),
        ("skip", 1, 0, {}),
    ],
)
def test_devices_that_are_free_now_hold_every_pod_at_once_or_not(status, replicas, devices, answers):
    asked = deployment(replicas, devices)
    if not devices:
        del asked["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"][GPU]
    assert told(release_findings(Answers(**answers), "svc", (asked,)))["devices-free"][0] == status


def test_a_gpu_operator_that_is_absent_is_told_from_devices_that_are_taken():
    bare = {**node("a", 0), "status": {"allocatable": {"cpu": "8"}}}
    absent = told(release_findings(Answers(nodes=(bare,)), "svc", (deployment(1, 1),)))["devices-free"]
    assert absent[0] == "fail" and "No node offers" in absent[1]
    few = told(release_findings(Answers(nodes=(node("a", 0),)), "svc", (deployment(1, 1),)))["devices-free"]
    assert few[0] == "fail" and "No node offers" not in few[1]


CLAIMED = {
    "apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaimTemplate", "metadata": {"name": "accelerators"},
    "spec": {"spec": {"devices": {"requests": [{"name": "a", "exactly": {"deviceClassName": "gpu.nvidia.com"}}]}}},
}  # fmt: skip


@pytest.mark.parametrize(("status", "classed"), [("skip", {"metadata": {}}), ("fail", "absent"), ("skip", None)])
def test_a_device_class_that_is_absent_is_named_where_it_may_be_asked_for(status, classed):
    found = told(release_findings(Answers(classed=classed), "svc", (CLAIMED,)))
    assert found["devices-free"][0] == status and "gpu.nvidia.com" in found["devices-free"][1]


def bound(*modes):
    return {"spec": {"accessModes": list(modes)}, "status": {"phase": "Bound"}}


@pytest.mark.parametrize(
    ("status", "pods", "claim"),
    [
        ("fail", 1, "absent"),
        ("fail", 1, {"status": {"phase": "Lost"}}),
        ("warn", 1, {"status": {"phase": "Pending"}}),
        ("pass", 1, bound("ReadWriteOnce")),
        ("pass", 2, bound("ReadWriteOnce", "ReadOnlyMany")),
        ("pass", 2, bound("ReadWriteMany")),
        ("warn", 2, bound("ReadWriteOnce")),
        ("fail", 2, bound("ReadWriteOncePod")),
    ],
)
def test_a_claim_that_weights_lie_on_is_looked_at(status, pods, claim):
    found = told(release_findings(Answers(nodes=EIGHT, claim=claim), "svc", (deployment(pods, 1, "weights"),)))
    assert found["storage"][0] == status and "weights" in found["storage"][1]


CREATED = {
    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "weights"},
    "spec": {"storageClassName": "fast"},
}  # fmt: skip


@pytest.mark.parametrize(("status", "kind"), [(None, {"metadata": {}}), ("warn", "absent"), (None, None)])
def test_a_storage_class_that_is_absent_is_named_where_it_may_be_asked_for(status, kind):
    found = told(release_findings(Answers(nodes=EIGHT, stored=kind), "svc", (CREATED, deployment(1, 1, "weights"))))
    assert found.get("storage", (None,))[0] == status
    assert status is None or "fast" in found["storage"][1]
