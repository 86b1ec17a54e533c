"""Several nodes a replica, by the real LeaderWorkerSet controller: the chart's group, policies, verification, restarts.

The engine is a stand-in, for no engine serves over two nodes without accelerators: its leader is healthy once its
worker has joined by the leader's name, and the worker tells whether it can leave the group's network.
"""

import hashlib

import pytest
import yaml

from dsdeploy.adapters.images.archive import describe_image
from dsdeploy.adapters.images.gateway import gateway_image
from dsdeploy.adapters.targets.kubernetes import KubernetesTarget
from dsdeploy.adapters.targets.kubernetes.place import Place
from dsdeploy.core.values import RenderedFile, RenderedFiles
from tests.kube.fixtures import GPU
from tests.kube.groups import Groups
from tests.kube.release import Case
from tests.program import wait_until

pytestmark = pytest.mark.kubernetes
CONTENT = b"weights"
ENGINE = "svc-dsdeploy-engine"
LEADER = """
import socket, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
print("leads", sys.argv[1:], flush=True)
joined, _ = socket.create_server(("", 20000)).accept()
print("joined by", joined.recv(99).decode(), flush=True)
class Healthy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
HTTPServer(("", 8000), Healthy).serve_forever()
"""
WORKER = """
import os, socket, sys, time
rank, leader = sys.argv[1:]
while True:
    try:
        joined = socket.create_connection((leader, 20000), 2)
        break
    except OSError as error:
        print(error, flush=True)
        time.sleep(0.5)
joined.send(f"rank {rank} of {os.environ['LWS_GROUP_SIZE']}".encode())
try:
    socket.create_connection(("10.96.0.1", 443), 3)
    print("the way out is open", flush=True)
except OSError:
    print("the way out is closed", flush=True)
time.sleep(9999)
"""


class Group(Case):
    """One release of the project's own chart over two nodes."""

    gateway = ""

    @property
    def target(self) -> KubernetesTarget:
        return KubernetesTarget(Place("tests", self.namespace), self.told)

    def rendered(self, word: str = "first") -> RenderedFiles:
        python = "/usr/bin/python3"
        file = {"name": "m.bin", "sizeBytes": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
        values = {
            "image": {"engine": _image(self.site.engine), "gateway": _image(self.gateway)},
            "model": {"name": "smoke"},
            "parallelism": {"tensor": 2, "pipeline": 1, "data": 1, "nodes": 2, "devicesPerNode": 1},
            "engine": {
                "name": "sglang", "replicas": 1, "python": python, "cpu": "0.2", "memoryBytes": 2**28, "shmBytes": 0,
                "drainSeconds": 1, "readyPath": "/health",
                "leader": {"argv": [python, "-c", LEADER, word], "env": {}},
                "worker": {
                    "argv": [python, "-c", WORKER, "$(LWS_WORKER_INDEX)", "$(LWS_LEADER_ADDRESS)"], "env": {},
                },
                "keySecret": {"name": "dsdeploy-svc-engine", "key": "engine-key"},
            },
            "accelerator": {"resourceName": GPU},
            "weights": {"source": "pvc", "claim": {"existingName": "weights"}, "files": [file]},
            "loadBudget": {"imagePullSeconds": 10, "engineSeconds": 60},
            "gateway": {
                "replicas": 1, "cpu": "0.2", "keysSecret": {"name": "dsdeploy-svc-keys", "key": "keys.map"},
                "tls": {"existingSecret": "dsdeploy-svc-tls"},
            },
        }  # fmt: skip
        return RenderedFiles("kubernetes", (RenderedFile("values.yaml", yaml.safe_dump(values)),))

    def engine(self, index: int):
        name = ENGINE + ("-0" if index == 0 else f"-0-{index}")
        return self.site.api.read_namespaced_pod(name, self.namespace)

    def log(self, index: int) -> str:
        name = self.engine(index).metadata.name
        return self.site.api.read_namespaced_pod_log(name, self.namespace, container="engine")


def _image(reference: str) -> dict[str, str]:
    name, _, digest = reference.partition("@")
    registry, _, repository = name.partition("/")
    return {"registry": registry, "repository": repository, "digest": digest}


@pytest.fixture(scope="module")
def groups(site, tmp_path_factory):
    found = Groups(tmp_path_factory.mktemp("lws"), site.plane, site.kubectl)
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="module")
def group(site, groups, tmp_path_factory):
    folder = tmp_path_factory.mktemp("group")
    found = Group(site, site.namespace("group"), folder)
    found.gateway = site.node.load(describe_image(gateway_image()))
    (folder / "weights").mkdir()
    (folder / "weights/m.bin").write_bytes(CONTENT)
    size = {"accessModes": ["ReadOnlyMany"], "storageClassName": "site"}
    bound = {
        "hostPath": {"path": str(folder / "weights")}, "claimRef": {"namespace": "group", "name": "weights"},
        "capacity": {"storage": "1Gi"},
    }  # fmt: skip
    site.api.create_persistent_volume({"metadata": {"name": "group"}, "spec": {**size, **bound}})
    asked = {"metadata": {"name": "weights"}, "spec": {**size, "resources": {"requests": {"storage": "1Gi"}}}}
    site.api.create_namespaced_persistent_volume_claim("group", asked)
    assert found.failures() == {}
    found.install()
    yield found
    found.uninstall()
    site.api.delete_namespace("group")
    wait_until(lambda: not found.pods(), 120)


def test_a_group_joins_by_its_leaders_name_and_cannot_leave_its_network(group):
    assert group.target.observe(group.release).state == "running"
    assert "joined by rank 1 of 2" in group.log(0)
    wait_until(lambda: "the way out is closed" in group.log(1), 30)
    both = tuple(group.target.logs(group.release, 99))
    assert f"{ENGINE}-0 joined by rank 1 of 2" in both and f"{ENGINE}-0-1 the way out is closed" in both
    for index in (0, 1):
        (verified,) = group.engine(index).status.init_container_statuses
        assert verified.state.terminated.exit_code == 0
    assert group.install() == []


def test_a_worker_lost_starts_the_whole_group_again(group):
    """As a node that is drained loses it. One that vanishes at once the group's controller may not have seen go."""
    leader = group.engine(0).metadata.uid
    group.site.api.delete_namespaced_pod(group.engine(1).metadata.name, group.namespace, grace_period_seconds=5)
    wait_until(
        lambda: any(one.metadata.name == f"{ENGINE}-0" and one.metadata.uid != leader for one in group.pods()), 120
    )
    wait_until(lambda: group.target.observe(group.release).state == "running", 120)
    assert "joined by rank 1 of 2" in group.log(0)


def test_an_upgrade_waits_for_the_new_group_though_every_device_was_taken(group):
    assert group.failures(word="second") == {}
    assert group.install(word="second")[-1] == "helm-upgrade"
    assert "leads ['second']" in group.log(0) and "joined by rank 1 of 2" in group.log(0)
    assert group.target.observe(group.release).state == "running"
