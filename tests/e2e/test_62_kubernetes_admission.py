"""What the chart renders, held against the real admission of a namespace that enforces `restricted`."""

from pathlib import Path

import pytest
import yaml

from dsdeploy.adapters.targets.kubernetes.connection import Cluster
from dsdeploy.adapters.targets.kubernetes.helm import Helm
from dsdeploy.adapters.targets.kubernetes.manifest import documents, workloads
from dsdeploy.adapters.targets.kubernetes.preflight import release_findings
from dsdeploy.core.errors import ClusterRefused
from tests.chart.rendering import example
from tests.program import wait_until

pytestmark = pytest.mark.kubernetes
ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/dsdeploy"
EXAMPLES = sorted((CHART / "examples").glob("*.yaml"))
SPACE = "admission"
DEFINED = (
    "leaderworkerset.x-k8s.io_leaderworkersets.yaml", "keda.sh_scaledobjects.yaml",
    "gateway.networking.k8s.io_httproutes.yaml", "cert-manager.io_certificates.yaml",
)  # fmt: skip
BEYOND = {"ServiceMonitor", "PrometheusRule"}
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
    """With the definitions of every operator that the chart may ask; only the Prometheus one's module is not served."""
    site.namespace(SPACE)
    definitions = [word for one in DEFINED for word in ("--filename", str(site.plane.binaries / "crds" / one))]
    site.kubectl("apply", "--server-side", *definitions)
    wait_until(lambda: Cluster("tests", SPACE).has("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet"))
    wait_until(lambda: Cluster("tests", SPACE).has("cert-manager.io/v1", "Certificate"))
    yield Cluster("tests", SPACE)
    site.kubectl("delete", *definitions)


def rendered(cluster: Cluster, values: Path):
    helm = Helm(cluster.context, cluster.namespace)
    return documents(helm.render("release", CHART, values, cluster.version(), cluster.served()))


@pytest.mark.parametrize("values", EXAMPLES, ids=lambda one: one.stem)
def test_restricted_admits_every_object_and_every_pod(restricted, values):
    many = rendered(restricted, values)
    kinds = {one["kind"] for one in many}
    assert {"Deployment", "NetworkPolicy", "Service", "PodDisruptionBudget"} <= kinds
    admit(restricted, many)


def admit(cluster: Cluster, many) -> None:
    many = tuple(one for one in many if one["kind"] not in BEYOND)
    (admitted,) = [one for one in release_findings(cluster, "release", many) if one.id == "objects-admitted"]
    assert admitted.status == "pass", admitted.message.render("en")


OPTIONS = {
    "dra": {
        "accelerator__mode": "dra",
        "accelerator__dra": {"deviceClassName": "gpu.nvidia.com", "selectors": ["device.driver == 'gpu.nvidia.com'"]},
    },
    "image-volume": {
        "weights__source": "image", "weights__verify__policy": "sample",
        "weights__image": {
            "registry": "r.site", "repository": "w", "digest": "sha256:" + "e" * 64, "allowBeta": True,
        },
    },
    "doors": {
        "gateway__ingress": {"enabled": True, "className": "nginx", "host": "chat.site"},
        "gateway__httpRoute": {"enabled": True, "gatewayName": "g", "hostnames": ["chat.site"]},
        "gateway__tls": {"certManager": {"issuerName": "site-ca", "issuerKind": "ClusterIssuer"}},
    },
    "hpa": {"autoscaling": {"kind": "hpa", "maxReplicas": 3}, "engine__spareGpus": True},
    "keda": {"autoscaling": {"kind": "keda", "maxReplicas": 2, "prometheusAddress": "http://p"}},
}  # fmt: skip


@pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS.keys())
def test_what_is_off_unless_asked_for_is_admitted_by_the_real_definitions(restricted, changes, tmp_path):
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(example("amd-mi300x", **changes)))
    many = rendered(restricted, path)
    admit(restricted, many)


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
