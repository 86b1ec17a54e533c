"""A real cluster for the tests marked `kubernetes`: started once a session, stopped with everything that ran in it."""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dsdeploy.adapters.images.archive import describe_image
from dsdeploy.adapters.images.llamacpp import llamacpp_image
from tests.kube import node as nodes
from tests.kube.control_plane import ControlPlane, client_of
from tests.kube.names import Names
from tests.kube.node import Node

GPU = "nvidia.com/gpu"
RBAC = Path(__file__).parents[2] / "helm/rbac.yaml"
_TOOLS = Path(__file__).parents[2] / "scripts/install-kube-tools.sh"


@dataclass(frozen=True)
class Site:
    """`engine` is the reference of the llama.cpp image on the node; `devices` are the GPUs that it says it has."""

    plane: ControlPlane
    node: Node
    engine: str

    @property
    def kubeconfig(self) -> Path:
        return self.plane.kubeconfig

    @property
    def api(self) -> Any:
        from kubernetes import client

        return client.CoreV1Api(client_of(self.kubeconfig))

    def kubectl(self, *words: str, input: str | None = None) -> str:
        run = subprocess.run(
            ["kubectl", "--kubeconfig", self.kubeconfig, *words],
            input=input,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert run.returncode == 0, run.stderr
        return run.stdout

    def offer(self, devices: int, resource: str = GPU) -> None:
        """As a device plugin would: the node's capacity of them."""
        path = f"/status/capacity/{resource.replace('/', '~1')}"
        self.api.patch_node_status(nodes.NAME, [{"op": "add", "path": path, "value": str(devices)}])
        end = time.monotonic() + 60
        while int((self.api.read_node(nodes.NAME).status.allocatable or {}).get(resource, -1)) != devices:
            assert time.monotonic() < end
            time.sleep(0.5)

    def ready(self) -> bool:
        conditions = self.api.read_node(nodes.NAME).status.conditions
        return any(one.type == "Ready" and one.status == "True" for one in conditions)

    def namespace(self, name: str, level: str = "restricted") -> str:
        labels = {"pod-security.kubernetes.io/enforce": level}
        self.api.create_namespace({"metadata": {"name": name, "labels": labels}})
        return name


@contextmanager
def tools() -> Iterator[None]:
    """Helm and kubectl on the PATH."""
    made = subprocess.run(["bash", _TOOLS], stdout=subprocess.PIPE, text=True, check=True)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{made.stdout.strip()}:{before}"
    try:
        yield
    finally:
        os.environ["PATH"] = before


@contextmanager
def started(folder: Path) -> Iterator[Site]:
    """The whole cluster, and KUBECONFIG for it; everything is stopped and taken away at the end.

    One at a time on a machine, for each has the same bridge and addresses: another session's is waited for.
    """
    with Path("/tmp/dsdeploy-kube-cluster.lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        yield from _started(folder)


def _started(folder: Path) -> Iterator[Site]:
    plane = ControlPlane(folder / "plane")
    node = Node(folder / "node", plane)
    names = None
    try:
        plane.start()
        node.start()
        site = Site(plane, node, node.load(describe_image(llamacpp_image())))
        names = Names(site.api, site.engine, folder / "names")
        names.start()
        node.enforce()
        site.offer(2)
        os.environ["KUBECONFIG"] = str(site.kubeconfig)
        yield site
    finally:
        os.environ.pop("KUBECONFIG", None)
        if names:
            names.stop()
        node.stop()
        plane.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def kube_tools() -> Iterator[None]:
    with tools():
        yield


@pytest.fixture(scope="session")
def site(kube_tools, tmp_path_factory) -> Iterator[Site]:
    lacking = nodes.missing()
    if lacking:
        pytest.fail(f"lacks {', '.join(lacking)}: run scripts/install-test-parts.sh, or -m 'not kubernetes'")
    with started(tmp_path_factory.mktemp("kube")) as found:
        yield found
