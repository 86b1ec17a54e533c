"""What the chart renders, held against the real admission of a namespace that enforces `restricted`."""

from pathlib import Path

import pytest

from dsdeploy.adapters.targets.kubernetes.connection import Cluster
from dsdeploy.adapters.targets.kubernetes.helm import Helm
from dsdeploy.adapters.targets.kubernetes.manifest import documents, workloads
from dsdeploy.adapters.targets.kubernetes.preflight import release_findings
from dsdeploy.core.errors import ClusterRefused
from tests.program import wait_until

pytestmark = pytest.mark.kubernetes
ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/dsdeploy"
EXAMPLES = sorted((CHART / "examples").glob("*.yaml"))
SPACE = "admission"
LINES = (
    lambda pod: pod["securityContext"].pop("runAsNonRoot"),
    lambda pod: pod["securityContext"].pop("seccompProfile"),
    lambda pod: pod.update(hostNetwork=True),
    *(
        lambda pod, name=name: pod["containers"][0]["securityContext"].pop(name)
        for name in ("allowPrivilegeEscalation", "capabilities")
    ),
)


@pytest.fixture(scope="module")
def restricted(site):
    site.namespace(SPACE)
    site.kubectl("apply", "--filename", str(ROOT / "tests/kube/leaderworkersets.yaml"))
    wait_until(lambda: Cluster("tests", SPACE).has("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet"))
    yield Cluster("tests", SPACE)
    site.kubectl("delete", "--filename", str(ROOT / "tests/kube/leaderworkersets.yaml"))


def rendered(cluster: Cluster, values: Path):
    helm = Helm(cluster.context, cluster.namespace)
    return documents(helm.render("release", CHART, values, cluster.version(), cluster.served()))


@pytest.mark.parametrize("values", EXAMPLES, ids=lambda one: one.stem)
def test_restricted_admits_every_object_and_every_pod(restricted, values):
    many = rendered(restricted, values)
    kinds = {one["kind"] for one in many}
    assert {"Deployment", "NetworkPolicy", "Service", "PodDisruptionBudget"} <= kinds
    beyond = {"ServiceMonitor", "PrometheusRule"}  # the Prometheus operator's, which is not here
    many = tuple(one for one in many if one["kind"] not in beyond)
    (admitted,) = [one for one in release_findings(restricted, "release", many) if one.id == "objects-admitted"]
    assert admitted.status == "pass", admitted.message.render("en")


def test_several_nodes_are_a_leader_worker_set_with_two_templates(restricted):
    many = rendered(restricted, CHART / "examples/nvidia-two-nodes.yaml")
    groups = [(one.kind, one.pods) for one in workloads(many) if one.kind == "LeaderWorkerSet"]
    assert groups == [("LeaderWorkerSet", 1), ("LeaderWorkerSet", 1)]


@pytest.mark.parametrize("change", LINES)
def test_a_security_line_less_and_restricted_refuses(restricted, change):
    many = rendered(restricted, CHART / "examples/nvidia-two-nodes.yaml")
    for work in workloads(many):
        spec = {name: one for name, one in work.template["spec"].items() if not name.startswith("serviceAccount")}
        change(spec)
        with pytest.raises(ClusterRefused) as caught:
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "changed-"}, "spec": spec}
            restricted.rehearse(pod)
        assert "violates PodSecurity" in caught.value.message.render("en")
