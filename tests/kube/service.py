"""A release of the real chart as a user makes it: engine, model and gateway, least rights, a namespace of its own."""

import json
import ssl
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from dsdeploy.adapters.images.archive import describe_image
from dsdeploy.adapters.images.gateway import gateway_image
from tests.kube.fixtures import RBAC
from tests.program import run

SPACE = "llm"
CHAT = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}


@pytest.fixture(scope="session")
def gateway(site) -> str:
    return site.node.load(describe_image(gateway_image()))


@pytest.fixture(scope="session")
def least(site):
    """The kubeconfig of a service account that has helm/rbac.yaml and nothing else, in a restricted namespace."""
    site.namespace(SPACE)
    site.kubectl("--namespace", SPACE, "create", "serviceaccount", "dsdeploy")
    site.kubectl("--namespace", SPACE, "apply", "--filename", str(RBAC))
    token = site.kubectl("--namespace", SPACE, "create", "token", "dsdeploy", "--duration", "2h").strip()
    return site.plane.write_kubeconfig("least", {"token": token}, SPACE)


@pytest.fixture(scope="session")
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


def plan_for(home: Path, *, users: int) -> Path:
    path = home / f"{users}-users.yaml"
    r = run("plan", "--model", "smoke", "--users", str(users), "--target", "kubernetes", "--out", str(path))
    assert r.returncode == 0, r.stderr
    return path


@pytest.fixture(scope="session")
def cluster_home(site, gateway, least, claim, fetched) -> Callable[[Path], tuple[Path, Path, dict[str, str]]]:
    """Makes a home with weights below a folder, what a site writes down, and the environment of the least rights."""

    def make(folder: Path) -> tuple[Path, Path, dict[str, str]]:
        home = folder / "home"
        subprocess.run(["cp", "-al", str(fetched), str(home)], check=True)
        words = {
            "apiVersion": yaml.safe_load((fetched / "plan.yaml").read_text())["apiVersion"], "kind": "Site",
            "engine_image": site.engine, "gateway_image": gateway, "weights": {"source": "pvc", "name": claim},
            "engine_python": "/usr/bin/python3", "cpus": 0.7, "gateway_replicas": 1, "gateway_cpus": 0.4,
            "test_key_secret": "client-key",
        }  # fmt: skip
        path = folder / "site.yaml"
        path.write_text(yaml.safe_dump(words))
        return home, path, {"KUBECONFIG": str(least), "DSDEPLOY_BLOCKED_S": "60"}

    return make


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
