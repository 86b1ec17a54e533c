"""What stands in the way of a release on a real cluster: named before or while waiting; the next run repairs it."""

from datetime import timedelta
from functools import partial

import pytest
import yaml

from dsdeploy.adapters.targets.kubernetes import KubernetesTarget
from dsdeploy.adapters.targets.kubernetes.place import Place
from dsdeploy.core.errors import ClusterAway, NotStarted, RuntimeMissing
from tests.kube.release import CHART, Case
from tests.program import wait_until

pytestmark = pytest.mark.kubernetes


def test_too_few_devices_are_found_before_and_named_while_waiting(case):
    assert "4 of nvidia.com/gpu" in case.failures(devices=4)["devices-free"]
    with pytest.raises(NotStarted) as caught:
        case.install(devices=4)
    assert "Insufficient nvidia.com/gpu" in caught.value.message.render("en")
    assert case.install(devices=1)[-1] == "helm-upgrade"


def test_no_device_plugin_is_told_from_too_few_devices_and_repaired(case):
    assert "No node offers amd.com/gpu" in case.failures(resource="amd.com/gpu")["devices-free"]
    with pytest.raises(NotStarted) as caught:
        case.install(resource="amd.com/gpu")
    assert "Insufficient amd.com/gpu" in caught.value.message.render("en")
    case.site.offer(1, "amd.com/gpu")
    assert case.install(resource="amd.com/gpu")[-1] == "helm-upgrade"


def test_an_image_that_is_refused_is_named_and_repaired_by_the_next_install(case):
    absent = "registry.invalid/dsdeploy/absent@sha256:" + "0" * 64
    with pytest.raises(NotStarted) as caught:
        case.install(image=absent)
    assert "registry.invalid/dsdeploy/absent" in caught.value.message.render("en")
    assert any("is pulling registry.invalid" in one for one in case.told.said)
    case.install()
    assert case.target.observe(case.release).state == "running"


def test_a_quota_too_small_is_named_and_repaired(case):
    quota = {"metadata": {"name": "small"}, "spec": {"hard": {"requests.nvidia.com/gpu": "1"}}}
    case.site.api.create_namespaced_resource_quota(case.namespace, quota)
    wait_until(lambda: case.site.api.read_namespaced_resource_quota("small", case.namespace).status.hard is not None)
    assert "exceeded quota: small" in case.failures(devices=2)["objects-admitted"]
    with pytest.raises(NotStarted) as caught:
        case.install(devices=2)
    assert "quota is too small" in caught.value.message.render("en")
    case.site.api.delete_namespaced_resource_quota("small", case.namespace)
    case.install(devices=2)


def test_a_claim_that_is_missing_or_pending_is_named_and_repaired(case):
    assert "no volume claim weights" in case.failures(claim="weights")["storage"]
    size = {"resources": {"requests": {"storage": "1Gi"}}, "accessModes": ["ReadOnlyMany"], "storageClassName": "none"}
    case.site.api.create_namespaced_persistent_volume_claim(
        case.namespace, {"metadata": {"name": "weights"}, "spec": size}
    )
    with pytest.raises(NotStarted) as caught:
        case.install(claim="weights")
    assert "weights" in caught.value.message.render("en") and "none" in caught.value.message.render("en")
    place = case.folder / "volume"
    place.mkdir()
    volume = {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadOnlyMany"], "storageClassName": "none",
        "hostPath": {"path": str(place)}, "claimRef": {"namespace": case.namespace, "name": "weights"},
    }  # fmt: skip
    case.site.api.create_persistent_volume({"metadata": {"name": case.namespace}, "spec": volume})
    claim = partial(case.site.api.read_namespaced_persistent_volume_claim, "weights", case.namespace)
    wait_until(lambda: claim().status.phase == "Bound")
    case.install(claim="weights")
    case.site.api.delete_persistent_volume(case.namespace)


def test_pods_that_restricted_refuses_are_found_before_and_named(case):
    assert "seccompProfile" in case.failures(insecure=True)["objects-admitted"]
    with pytest.raises(NotStarted) as caught:
        case.install(insecure=True)
    assert "Pod Security does not admit" in caught.value.message.render("en")
    assert case.install()[-1] == "helm-upgrade"


def test_leader_worker_sets_need_their_api(case):
    assert "LeaderWorkerSet" in case.failures(group=2)["leader-worker-set"]


def test_no_helm_no_cluster_no_context_and_an_ended_certificate_are_told_apart(case, monkeypatch):
    plane = case.site.plane
    with pytest.raises(ClusterAway) as caught:
        KubernetesTarget(Place("absent"), chart=CHART).preflight(case.release)
    assert "absent" in caught.value.message.render("en") and "tests" in caught.value.hint.render("en")
    ended = plane.kubeconfig_of("ended", "admin", "system:masters", lasts=timedelta(hours=-1))
    monkeypatch.setenv("KUBECONFIG", str(ended))
    with pytest.raises(ClusterAway) as caught:
        case.target.preflight(case.release)
    assert "ended at" in caught.value.message.render("en")
    elsewhere = yaml.safe_load(plane.kubeconfig.read_text())
    elsewhere["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    (case.folder / "elsewhere").write_text(yaml.safe_dump(elsewhere))
    monkeypatch.setenv("KUBECONFIG", str(case.folder / "elsewhere"))
    with pytest.raises(ClusterAway) as caught:
        case.target.preflight(case.release)
    assert "https://127.0.0.1:1" in caught.value.message.render("zh")
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RuntimeMissing):
        case.target.preflight(case.release)
    monkeypatch.undo()
    assert case.install()[-1] == "helm-upgrade"


def test_a_namespace_that_is_missing_is_named(case):
    elsewhere = Case(case.site, "not-there", case.folder)
    found = elsewhere.target.preflight(elsewhere.release)
    (failed,) = [one for one in found if one.status == "fail"]
    assert failed.id == "namespace" and "kubectl create namespace not-there" in failed.hint.render("en")
