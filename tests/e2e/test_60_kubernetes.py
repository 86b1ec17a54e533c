"""The Kubernetes target on a real cluster: install, look, change, and take away."""

import base64
from pathlib import Path

import pytest

from dsdeploy.core.errors import EngineDied
from tests.kube.fixtures import GPU
from tests.kube.release import LISTEN
from tests.program import wait_until

pytestmark = pytest.mark.kubernetes


def test_install_again_observe_and_uninstall(case):
    assert case.failures() == {}
    done = case.install()
    assert done[0] == "write-place" and done[-2:] == ["apply-secrets", "helm-upgrade"]
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
    assert {one.path for one in target.evidence(case.release)} == {
        "pods.json", "events.json", "gateway.log", "verify.log",
    }  # fmt: skip
    before = case.pods()[0].metadata.uid
    target.crash(case.release)
    wait_until(lambda: [one.metadata.uid for one in case.pods()] != [before])
    wait_until(lambda: target.observe(case.release).state == "running")


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
    wait_until(lambda: "no such model" in case.target.logs(case.release, 9))
    assert case.target.observe(case.release).state == "failed"
    done = case.install(devices=2)
    assert done[-2:] == ["free-devices", "helm-upgrade"]
    assert case.target.observe(case.release).state == "running"


def test_a_lost_secret_is_put_back_by_the_next_install(case):
    case.install(secret="dsdeploy-svc-engine")
    case.site.api.delete_namespaced_secret("dsdeploy-svc-engine", case.namespace)
    assert case.install(secret="dsdeploy-svc-engine") == ["apply-secrets"]


def test_devices_of_nodes_are_what_the_site_offers(site):
    assert site.api.read_node("node-a").status.allocatable[GPU] == "2"
