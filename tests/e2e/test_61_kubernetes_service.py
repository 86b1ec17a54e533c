"""A release from a plan, as a user does it: the chart, a real engine and model, the gateway, with the least rights."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from dsdeploy.adapters.targets.kubernetes.preflight import RIGHTS
from tests.kube.fixtures import RBAC
from tests.kube.service import SPACE, chat, key_of, plan_for
from tests.program import PROGRAM, environment, run, run_json, wait_until

pytestmark = pytest.mark.kubernetes


@pytest.fixture(scope="module")
def service(cluster_home, tmp_path_factory):
    """A home with an installed release, and what a user calls it with."""
    home, words, with_rights = cluster_home(tmp_path_factory.mktemp("kubernetes"))
    plan = plan_for(home, users=2)
    r = run("install", str(plan), "--site", str(words), "--home", str(home), "--yes", **with_rights)
    assert r.returncode == 0, r.stderr
    yield home, plan, with_rights
    run("uninstall", "--home", str(home), "--yes", **with_rights)


def test_the_least_role_is_what_the_preflight_asks_for():
    role = next(one for one in yaml.safe_load_all(RBAC.read_text()) if one["kind"] == "Role")
    granted = {
        (group, resource, tuple(rule["verbs"]))
        for rule in role["rules"] for group in rule["apiGroups"] for resource in rule["resources"]
    }  # fmt: skip
    assert granted == set(RIGHTS)


def test_it_answers_with_the_key_and_refuses_without(site, service):
    home, _, _ = service
    status, body = chat(site, home, key_of(home))
    assert status == 200 and json.loads(body)["choices"][0]["message"]["content"].strip()
    assert chat(site, home, None)[0] == 401


def test_a_second_install_has_nothing_to_do_and_status_says_running(service):
    home, plan, with_rights = service
    r = run("install", str(plan), "--home", str(home), "--yes", "--json", **with_rights)
    assert r.returncode == 0, r.stderr
    assert json.loads(r.stdout)["data"]["changed"] is False
    told = json.loads(run("status", "--home", str(home), "--json", **with_rights).stdout)["data"]
    assert [one["service"]["state"] for one in told] == ["running"]


def test_helm_test_infers(site, service):
    home, _, with_rights = service
    secret = {"metadata": {"name": "client-key"}, "stringData": {"api-key": key_of(home)}}
    site.api.create_namespaced_secret(SPACE, secret)
    words = ("helm", "test", "default", "--namespace", SPACE, "--timeout", "90s", "--logs")
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ}, timeout=240)
    if done.returncode:
        seen = site.kubectl("--namespace", SPACE, "describe", "pod", "default-dsdeploy-test")
        pytest.fail(done.stdout + done.stderr + seen)
    told = json.loads(run("status", "--home", str(home), "--json", **with_rights).stdout)["data"]
    assert [one["service"]["state"] for one in told] == ["running"]


def test_checks_logs_and_status_reach_it_through_the_api_server(service):
    home, _, with_rights = service
    asked = ("chat-answers", "api-needs-key", "connection-encrypted", "runs-without-root", "read-only-root")
    only = [word for one in asked for word in ("--only", one)]
    told = run_json("check", "--home", str(home), *only, **with_rights)["data"]
    assert {one["id"]: one["status"] for one in told["findings"]} == dict.fromkeys(asked, "pass")
    assert "slot" in run("logs", "--home", str(home), "--lines", "50", **with_rights).stdout
    asked = run("logs", "--home", str(home), "--part", "gateway", "--since", "1h", **with_rights).stdout
    assert any(json.loads(one)["key"] == "default" for one in asked.splitlines() if one.startswith("{"))
    assert not run("logs", "--home", str(home), "--part", "gateway", "--since", "0s", **with_rights).stdout.strip()
    assert ".gguf" in run("logs", "--home", str(home), "--part", "verify", **with_rights).stdout


def test_a_key_is_in_force_when_the_command_ends(site, service):
    home, _, with_rights = service
    file = home / "second"
    r = run("keys", "create", "second", "--out", str(file), "--home", str(home), "--yes", **with_rights)
    assert r.returncode == 0, r.stderr
    assert chat(site, home, file.read_text().strip())[0] == 200
    r = run("keys", "revoke", "second", "--home", str(home), "--yes", **with_rights)
    assert r.returncode == 0, r.stderr
    assert chat(site, home, file.read_text().strip())[0] == 401


def site_with(home: Path, **changes: object) -> Path:
    words = yaml.safe_load((home / "releases/default/site.yaml").read_text())
    path = home / "changed.yaml"
    path.write_text(yaml.safe_dump({**words, **changes}))
    return path


def upgrade(home: Path, plan: Path, changed: Path, with_rights: dict[str, str]) -> subprocess.CompletedProcess[str]:
    only = ("--only", "chat-answers", "--only", "api-needs-key")
    return run("upgrade", str(plan), "--site", str(changed), "--home", str(home), "--yes", *only, **with_rights)


@pytest.fixture(scope="module")
def other(service) -> Path:
    """Another plan for the same model."""
    return plan_for(service[0], users=3)


def make_claim(site, name: str, folder: Path, size: str = "1Gi", mode: str = "ReadWriteMany") -> None:
    folder.mkdir()
    folder.chmod(0o777)
    volume = {
        "capacity": {"storage": size}, "accessModes": [mode], "storageClassName": "site",
        "hostPath": {"path": str(folder)}, "claimRef": {"namespace": SPACE, "name": name},
    }  # fmt: skip
    site.api.create_persistent_volume({"metadata": {"name": name}, "spec": volume})
    asked = {"resources": {"requests": {"storage": size}}, "accessModes": [mode], "storageClassName": "site"}
    site.api.create_namespaced_persistent_volume_claim(SPACE, {"metadata": {"name": name}, "spec": asked})
    found = site.api.read_namespaced_persistent_volume_claim
    wait_until(lambda: found(name, SPACE).status.phase == "Bound")


@pytest.mark.parametrize(
    ("name", "size", "mode", "code"),
    [("small", "100Mi", "ReadWriteMany", "ClaimTooSmall"), ("closed", "1Gi", "ReadOnlyMany", "WeightsRefused")],
)
def test_a_claim_that_cannot_take_the_weights_is_named_and_the_service_stays(
    site, service, may_exec, other, tmp_path, name, size, mode, code
):
    home, _, with_rights = service
    make_claim(site, name, tmp_path / name, size, mode)
    r = upgrade(home, other, site_with(home, weights={"source": "pvc", "name": name, "load": True}), with_rights)
    assert r.returncode == 15 and code in r.stderr, r.stderr
    assert chat(site, home, key_of(home))[0] == 200


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("weights.create_bytes", {"weights": {"source": "pvc", "create_bytes": 1}}),
        ("weights.source", {"weights": {"source": "hostPath", "name": "/w", "load": True}}),
    ],
)
def test_values_that_contradict_the_plan_are_named_and_the_cluster_hears_nothing(site, service, other, field, changes):
    home, _, with_rights = service
    before = site.kubectl("--namespace", SPACE, "get", "secrets", "--selector", "owner=helm", "--output", "name")
    r = upgrade(home, other, site_with(home, **changes), with_rights)
    assert r.returncode == 14 and field in r.stderr, r.stderr
    after = site.kubectl("--namespace", SPACE, "get", "secrets", "--selector", "owner=helm", "--output", "name")
    assert after == before and chat(site, home, key_of(home))[0] == 200


@pytest.fixture(scope="module")
def may_exec(site, least):
    rule = {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create", "get"]}
    role = {"kind": "Role", "metadata": {"name": "exec"}, "rules": [rule]}
    bound = {
        "kind": "RoleBinding", "metadata": {"name": "exec"},
        "subjects": [{"kind": "ServiceAccount", "name": "dsdeploy"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "exec"},
    }  # fmt: skip
    many = [{"apiVersion": "rbac.authorization.k8s.io/v1", **one} for one in (role, bound)]
    site.kubectl("--namespace", SPACE, "apply", "--filename", "-", input=yaml.safe_dump_all(many))


def test_weights_are_sent_onto_a_claim_through_every_interruption(site, service, may_exec, other, tmp_path):
    """Cut off, gone on with; altered on the way, refused and sent again; then a revision that runs from there."""
    home, _, with_rights = service
    make_claim(site, "sent", tmp_path / "sent")
    changed = site_with(home, weights={"source": "pvc", "name": "sent", "sub_path": "smoke", "load": True})
    words = ("upgrade", str(other), "--site", str(changed), "--home", str(home), "--yes", "--only", "chat-answers")
    child = subprocess.Popen(
        [*PROGRAM, *words], env=environment(**with_rights), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_until(lambda: any(one.stat().st_size for one in tmp_path.glob("sent/smoke/*.part")), 60)
    child.kill()
    child.wait()
    (part,) = tmp_path.glob("sent/smoke/*.part")
    begun = part.stat().st_size
    assert 0 < begun < 253_113_024
    with part.open("r+b") as file:
        file.write(b"altered")
    r = upgrade(home, other, changed, with_rights)
    assert r.returncode == 15 and "SHA-256 differs" in r.stderr, r.stderr
    assert not list(tmp_path.glob("sent/smoke/*.gguf*"))
    r = upgrade(home, other, changed, with_rights)
    assert r.returncode == 0, r.stderr
    assert chat(site, home, key_of(home))[0] == 200
    pods = site.api.list_namespaced_pod(SPACE, label_selector="app.kubernetes.io/component=engine").items
    claims = {
        one.persistent_volume_claim.claim_name
        for pod in pods
        for one in pod.spec.volumes
        if one.persistent_volume_claim
    }
    assert claims == {"sent"}
    r = run("install", str(other), "--home", str(home), "--yes", "--json", **with_rights)
    assert json.loads(r.stdout)["data"]["changed"] is False, r.stdout


def test_an_upgrade_that_does_not_start_puts_the_good_revision_back(site, service, plan_first):
    home, _, with_rights = service
    absent = "registry.invalid/dsdeploy/absent@sha256:" + "0" * 64
    r = upgrade(home, plan_first, site_with(home, engine_image=absent), with_rights)
    assert r.returncode == 15 and "registry.invalid/dsdeploy/absent" in r.stderr, r.stderr
    assert chat(site, home, key_of(home))[0] == 200


@pytest.fixture(scope="module")
def plan_first(service) -> Path:
    return service[1]


def test_a_rollback_goes_back_to_the_first_revision(site, service):
    home, _, with_rights = service
    told = run_json("rollback", "--home", str(home), "--yes", "--only", "chat-answers", **with_rights)
    assert told["exit_code"] == 0 and told["data"]["release"]["revision"] == 1
    assert chat(site, home, key_of(home))[0] == 200


def test_without_rights_nothing_is_made_and_each_right_is_named(site, service):
    home, plan, with_rights = service
    site.namespace("closed")
    r = run(
        "install", str(plan), "--name", "other", "--namespace", "closed", "--home", str(home), "--yes", "--site",
        str(home / "releases/default/site.yaml"), **with_rights,
    )  # fmt: skip
    assert r.returncode == 15 and "create secrets" in r.stderr and "helm/rbac.yaml" in r.stderr
    assert site.api.list_namespaced_secret("closed").items == []


def test_uninstall_leaves_the_weights_and_nothing_else(site, service):
    home, _, with_rights = service
    r = run("uninstall", "--home", str(home), "--yes", **with_rights)
    assert r.returncode == 0, r.stderr
    wait_until(lambda: not site.api.list_namespaced_pod(SPACE).items, 120)
    kinds = "deployments,services,secrets,configmaps,networkpolicies,poddisruptionbudgets"
    left = site.kubectl("--namespace", SPACE, "get", kinds, "--output", "name").split()
    assert set(left) <= {"secret/client-key", "configmap/kube-root-ca.crt", "configmap/default-dsdeploy-test"}
    assert site.api.read_namespaced_persistent_volume_claim("weights", SPACE).status.phase == "Bound"
