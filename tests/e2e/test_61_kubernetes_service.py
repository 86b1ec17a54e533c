"""A release from a plan, as a user does it: the chart, a real engine and model, the gateway, with the least rights."""

import json
import os
import ssl
import subprocess
import urllib.request
from pathlib import Path

import pytest
import yaml

from dsdeploy.adapters.images.archive import describe_image
from dsdeploy.adapters.images.gateway import gateway_image
from dsdeploy.adapters.targets.kubernetes.preflight import RIGHTS
from tests.program import run, wait_until

pytestmark = pytest.mark.kubernetes
RBAC = Path(__file__).parents[2] / "helm/rbac.yaml"
SPACE = "llm"
CHAT = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}


@pytest.fixture(scope="module")
def gateway(site) -> str:
    return site.node.load(describe_image(gateway_image()))


@pytest.fixture(scope="module")
def least(site):
    """The kubeconfig of a service account that has helm/rbac.yaml and nothing else, in a restricted namespace."""
    site.namespace(SPACE)
    site.kubectl("--namespace", SPACE, "create", "serviceaccount", "dsdeploy")
    site.kubectl("--namespace", SPACE, "apply", "--filename", str(RBAC))
    token = site.kubectl("--namespace", SPACE, "create", "token", "dsdeploy", "--duration", "2h").strip()
    return site.plane.write_kubeconfig("least", {"token": token}, SPACE)


@pytest.fixture(scope="module")
def claim(site, fetched, least):
    """The weights on a volume of the node."""
    folder = next((fetched / "weights").glob("*/*/*.gguf")).parent
    volume = {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadOnlyMany"], "storageClassName": "site",
        "hostPath": {"path": str(folder)}, "claimRef": {"namespace": SPACE, "name": "weights"},
    }  # fmt: skip
    site.api.create_persistent_volume({"metadata": {"name": "weights"}, "spec": volume})
    size = {"resources": {"requests": {"storage": "1Gi"}}, "accessModes": ["ReadOnlyMany"], "storageClassName": "site"}
    site.api.create_namespaced_persistent_volume_claim(SPACE, {"metadata": {"name": "weights"}, "spec": size})
    return "weights"


@pytest.fixture(scope="module")
def service(site, gateway, least, claim, fetched, tmp_path_factory):
    """A home with an installed release, and what a user calls it with."""
    folder = tmp_path_factory.mktemp("kubernetes")
    home = folder / "home"
    subprocess.run(["cp", "-al", str(fetched), str(home)], check=True)
    plan = folder / "plan.yaml"
    r = run("plan", "--model", "smoke", "--users", "2", "--target", "kubernetes", "--out", str(plan))
    assert r.returncode == 0, r.stderr
    words = {
        "apiVersion": yaml.safe_load(plan.read_text())["apiVersion"], "kind": "Site",
        "engine_image": site.engine, "gateway_image": gateway, "weights": {"source": "pvc", "name": claim},
        "engine_python": "/usr/bin/python3", "cpus": 0.7, "gateway_replicas": 1, "gateway_cpus": 0.4,
        "test_key_secret": "client-key",
    }  # fmt: skip
    (folder / "site.yaml").write_text(yaml.safe_dump(words))
    with_rights = {"KUBECONFIG": str(least), "DSDEPLOY_BLOCKED_S": "60"}
    r = run("install", str(plan), "--site", str(folder / "site.yaml"), "--home", str(home), "--yes", **with_rights)
    assert r.returncode == 0, r.stderr
    yield home, plan, with_rights
    run("uninstall", "--home", str(home), "--yes", **with_rights)


def chat(site, home: Path, key: str | None) -> tuple[int, str]:
    """Through the gateway's Service, by its own certificate."""
    found = site.api.read_namespaced_service("default-dsdeploy", SPACE)
    trusted = ssl.create_default_context(cafile=str(home / "releases/default/secrets/ca/ca.crt"))
    trusted.check_hostname = False
    url = f"https://{found.spec.cluster_ip}:{found.spec.ports[0].port}/v1/chat/completions"
    request = urllib.request.Request(url, json.dumps(CHAT).encode(), {"Content-Type": "application/json"})
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=120, context=trusted) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def key_of(home: Path) -> str:
    return (home / "releases/default/secrets/api-keys").read_text().strip()


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


def test_an_upgrade_and_the_way_back(site, service):
    home, plan, with_rights = service
    words = yaml.safe_load((home / "releases/default/site.yaml").read_text())
    changed = home / "changed.yaml"
    changed.write_text(yaml.safe_dump({**words, "gateway_replicas": 2}))
    r = run("install", str(plan), "--site", str(changed), "--home", str(home), "--yes", **with_rights)
    assert r.returncode == 0, r.stderr
    assert chat(site, home, key_of(home))[0] == 200
    changed.write_text(yaml.safe_dump(words))
    r = run("install", str(plan), "--site", str(changed), "--home", str(home), "--yes", **with_rights)
    assert r.returncode == 0, r.stderr
    assert chat(site, home, key_of(home))[0] == 200
    history = json.loads(
        subprocess.run(
            ("helm", "history", "default", "--namespace", SPACE, "--output", "json"), capture_output=True, text=True
        ).stdout
    )
    assert [one["status"] for one in history] == ["superseded", "superseded", "deployed"]


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
