"""The Kubernetes target on a real cluster: real admission, real Helm, real pods, and everything that can go wrong."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import yaml

from dsdeploy.adapters.targets.kubernetes import KubernetesTarget
from dsdeploy.adapters.targets.kubernetes.place import Place
from dsdeploy.core.errors import ClusterAway, EngineDied, InstallError, NotStarted, RuntimeMissing
from dsdeploy.core.values import Release, RenderedFile, RenderedFiles, WeightFile, Weights
from tests.kube.fixtures import GPU
from tests.program import wait_until

pytestmark = pytest.mark.kubernetes
CHART = Path(__file__).parents[1] / "kube/chart"
LISTEN = "import socket,time; s=socket.create_server(('',8000)); print('listening'); time.sleep(9999)"


class Told:
    def __init__(self) -> None:
        self.said: list[str] = []

    def begin(self, what, total_bytes=None) -> None:
        self.said.append(what.render("en"))

    def advance(self, done_bytes) -> None:
        pass

    def end(self) -> None:
        pass


class Case:
    """One release of the stand-in chart in a namespace of its own."""

    def __init__(self, site, namespace: str, folder: Path) -> None:
        self.site, self.namespace, self.folder, self.told = site, namespace, folder, Told()
        file = WeightFile("m.gguf", 1, "")
        weights = Weights("smoke", "gguf-q4_k_m", "package", None, str(folder), (file,))
        self.release = Release(
            name="svc", target="kubernetes", model_id="smoke", format="gguf-q4_k_m", context_tokens=1024, users=2,
            host="127.0.0.1", port=8443, plan_sha256="", folder=str(folder / "svc"), weights=weights, revision=1,
            state="installing", installed_at="",
        )  # fmt: skip

    @property
    def target(self) -> KubernetesTarget:
        return KubernetesTarget(Place("tests", self.namespace), self.told, CHART)

    def rendered(self, **values: object) -> RenderedFiles:
        content = yaml.safe_dump({"image": self.site.engine, "script": LISTEN, **values})
        return RenderedFiles("kubernetes", (RenderedFile("values.yaml", content),))

    def failures(self, **values: object) -> dict[str, str]:
        target = self.target
        found = (*target.preflight(self.release), *target.rehearse(self.release, self.rendered(**values)))
        return {one.id: one.message.render("en") for one in found if one.status == "fail"}

    def install(self, **values: object) -> list[str]:
        target, rendered, done = self.target, self.rendered(**values), []
        for operation in target.pending(self.release, rendered):
            target.apply(operation, self.release, rendered)
            done.append(operation.action)
        return done

    def uninstall(self) -> list[str]:
        target, done = self.target, []
        for operation in target.removal(self.release):
            target.apply(operation, self.release, RenderedFiles("kubernetes", ()))
            done.append(operation.action)
        return done

    def pods(self) -> list[object]:
        return self.site.api.list_namespaced_pod(self.namespace).items


@pytest.fixture
def case(site, tmp_path, monkeypatch, request):
    monkeypatch.setenv("DSDEPLOY_BLOCKED_S", "8")
    name = f"t-{abs(hash(request.node.name)) % 10**8}"
    found = Case(site, site.namespace(name), tmp_path)
    yield found
    site.api.delete_namespace(name)
    wait_until(lambda: not found.pods(), 90)


def test_install_again_observe_and_uninstall(case):
    assert case.failures() == {}
    done = case.install()
    assert done[-3:] == ["write-place", "apply-secrets", "helm-upgrade"]
    assert case.target.observe(case.release).state == "running"
    assert "listening" in "\n".join(case.target.logs(case.release, 5))
    assert any("goes to node node-a" in one for one in case.told.said)
    assert case.install() == []
    assert case.uninstall() == ["helm-uninstall", "delete-secrets", "remove-folder"]
    wait_until(lambda: not case.pods())
    assert [one.metadata.name for one in case.site.api.list_namespaced_secret(case.namespace).items] == []
    assert not Path(case.release.folder).exists()


def test_it_is_seen_as_it_really_runs_and_comes_back_after_a_crash(case):
    case.install()
    target = case.target
    (engine,) = target.workloads(case.release)
    assert (engine.uids, engine.capabilities, engine.no_new_privileges, engine.read_only_root) == (
        (10001,),
        (),
        True,
        True,
    )
    assert target.run_inside(case.release, "import os; print(os.getuid())") == "10001\n"
    assert {one.path for one in target.evidence(case.release)} == {"pods.json", "events.json"}
    before = case.pods()[0].metadata.uid
    target.crash(case.release)
    wait_until(lambda: [one.metadata.uid for one in case.pods()] != [before])
    wait_until(lambda: target.observe(case.release).state == "running")


def test_a_node_lost_during_load_is_named_and_a_second_run_completes(case):
    kubelet = case.site.node.process("kubelet")
    child = start_install(case, script="import time; time.sleep(9999)", blocked_s=5)
    try:
        wait_until(lambda: any(one.status.phase == "Running" for one in case.pods()), 60)
        kubelet.send_signal(signal.SIGSTOP)
        said = child.communicate(timeout=120)[0]
    finally:
        kubelet.send_signal(signal.SIGCONT)
    assert child.returncode and "node-lost" in said
    wait_until(lambda: case.site.ready(), 60)
    assert case.install()[-1] == "helm-upgrade"


def test_keys_reach_the_cluster_hashed_and_never_helm(case):
    case.install()
    key = (Path(case.release.folder) / "secrets/api-keys").read_text().strip()
    stored = case.site.api.list_namespaced_secret(case.namespace).items
    names = {one.metadata.name for one in stored}
    assert {"dsdeploy-svc-keys", "dsdeploy-svc-engine", "dsdeploy-svc-tls"} <= names
    engine = (Path(case.release.folder) / "secrets/engine/engine-key").read_text().strip()
    for one in stored:
        content = b"".join(base64.b64decode(value) for value in (one.data or {}).values())
        assert key.encode() not in content
        assert one.metadata.name == "dsdeploy-svc-engine" or engine.encode() not in content


def test_an_upgrade_with_all_devices_taken_does_not_deadlock(case):
    case.install(devices=2)
    first = case.pods()[0].metadata.uid
    assert case.failures(devices=2, script=LISTEN + " ") == {}
    assert case.install(devices=2, script=LISTEN + " ")[-1] == "helm-upgrade"
    (now,) = [one for one in case.pods() if not one.metadata.deletion_timestamp]
    assert now.metadata.uid != first and case.target.observe(case.release).state == "running"


def test_a_broken_upgrade_says_why_and_the_way_back_frees_the_devices_first(case):
    case.install(devices=2)
    with pytest.raises(EngineDied) as caught:
        case.install(devices=2, script="print('no such model'); raise SystemExit(7)")
    said = caught.value.message.render("en")
    assert "code 7" in said and "no such model" in said
    assert case.target.observe(case.release).state == "failed"
    done = case.install(devices=2)
    assert done[-2:] == ["free-devices", "helm-upgrade"]
    assert case.target.observe(case.release).state == "running"


def test_too_few_devices_are_found_before_and_named_while_waiting(case):
    assert "4 of nvidia.com/gpu" in case.failures(devices=4)["devices-free"]
    with pytest.raises(NotStarted) as caught:
        case.install(devices=4)
    assert "Insufficient nvidia.com/gpu" in caught.value.message.render("en")
    assert case.install(devices=1)[-1] == "helm-upgrade"


def test_no_device_plugin_is_told_from_too_few_devices(case):
    assert "No node offers amd.com/gpu" in case.failures(resource="amd.com/gpu")["devices-free"]


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


def test_leader_worker_sets_need_their_api(case):
    assert "LeaderWorkerSet" in case.failures(group=2)["leader-worker-set"]


def test_a_lost_secret_is_put_back_by_the_next_install(case):
    case.install(secret="dsdeploy-svc-engine")
    case.site.api.delete_namespaced_secret("dsdeploy-svc-engine", case.namespace)
    assert case.install(secret="dsdeploy-svc-engine") == ["apply-secrets"]


def test_an_install_killed_while_it_waits_is_completed_by_the_next(case):
    child = start_install(case, script="import time; time.sleep(9999)")
    wait_until(lambda: any(one.status.phase == "Running" for one in case.pods()), 60)
    child.send_signal(signal.SIGKILL)
    child.wait()
    done = case.install()
    assert done[-1] == "helm-upgrade" and case.target.observe(case.release).state == "running"


def test_an_install_and_its_helm_killed_together_are_taken_up(case):
    child = start_install(case, script="import time; time.sleep(9999)")
    wait_until(lambda: any(one.status.phase == "Running" for one in case.pods()), 60)
    note = json.loads((Path(case.release.folder) / "run/helm.json").read_text())
    os.kill(note["pid"], signal.SIGKILL)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert "take-up-helm" in case.install()
    assert case.target.observe(case.release).state == "running"


def test_the_api_server_killed_during_an_install_ends_nothing(case):
    child = start_install(case, script="import time; time.sleep(12);" + LISTEN)
    wait_until(lambda: any(one.status.phase == "Running" for one in case.pods()), 60)
    case.site.plane.kill("kube-apiserver")
    time.sleep(3)
    with pytest.raises(ClusterAway):
        case.target.observe(case.release)
    case.site.plane.start_api_server()
    said = child.communicate(timeout=120)[0]
    if child.returncode:
        assert case.install(script="import time; time.sleep(12);" + LISTEN)[-1] == "helm-upgrade", said
    assert case.target.observe(case.release).state == "running"


def test_two_installs_of_one_release_at_once(case, tmp_path):
    """From two homes: only one Helm may work; the other is told so, and the first is not disturbed."""
    child = start_install(case, script="import time; time.sleep(8);" + LISTEN)
    wait_until(lambda: any(one.status.phase == "Running" for one in case.pods()), 60)
    other = Case(case.site, case.namespace, tmp_path / "other")
    with pytest.raises(InstallError) as caught:
        other.install()
    assert caught.value.code == "HelmBusy"
    assert child.wait(timeout=120) == 0
    assert case.target.observe(case.release).state == "running"


def start_install(case: Case, *, blocked_s: int = 90, **values: object) -> subprocess.Popen[str]:
    """In a process of its own."""
    code = (
        "import sys, json; from pathlib import Path; from tests.e2e.test_60_kubernetes import Case\n"
        "from types import SimpleNamespace as N\n"
        "told = json.loads(sys.argv[1]); site = N(engine=told['engine'])\n"
        "Case(site, told['namespace'], Path(told['folder'])).install(**told['values'])\n"
    )
    told = {"engine": case.site.engine, "namespace": case.namespace, "folder": str(case.folder), "values": values}
    return subprocess.Popen(
        [sys.executable, "-c", code, json.dumps(told)], cwd=Path(__file__).parents[2], text=True,
        env={**os.environ, "DSDEPLOY_BLOCKED_S": str(blocked_s)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


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


def test_a_namespace_that_is_missing_is_named(case):
    elsewhere = Case(case.site, "not-there", case.folder)
    found = elsewhere.target.preflight(elsewhere.release)
    (failed,) = [one for one in found if one.status == "fail"]
    assert failed.id == "namespace" and "kubectl create namespace not-there" in failed.hint.render("en")


def test_devices_of_nodes_are_what_the_site_offers(site):
    assert site.api.read_node("node-a").status.allocatable[GPU] == "2"
