"""A recording of a Kubernetes API server: fixed answers in the API's own shape, and nothing behind them.

Labels are those of GPU Feature Discovery (https://github.com/NVIDIA/gpu-feature-discovery) and of Huawei's device
plugin. It stands in for a cluster with accelerators, which cannot be had where tests run.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

H20 = {
    "nvidia.com/gpu.product": "NVIDIA-H20",
    "nvidia.com/gpu.memory": "97871",
    "nvidia.com/gpu.count": "8",
    "nvidia.com/cuda.driver-version.full": "570.133.20",
    "nvidia.com/cuda.runtime-version.full": "12.8",
}
MIG = {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB", "nvidia.com/mig-2g.20gb.memory": "19968"}
NPU = {"node.kubernetes.io/npu.chip.name": "910B3", "accelerator": "huawei-Ascend910"}


def node(
    name: str, labels: dict[str, str], resources: dict[str, str], ready: str = "True", **spec: Any
) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": "191500m", "memory": "2113393032Ki", **resources},
            "conditions": [{"type": "Ready", "status": ready}],
            "nodeInfo": {
                "kernelVersion": "5.15.0-112-generic",
                "osImage": "Ubuntu 22.04.4 LTS",
                "architecture": "amd64",
                "containerRuntimeVersion": "containerd://1.7.18",
            },
        },
    }


NODES = [
    node("gpu-1", H20, {"nvidia.com/gpu": "8"}, taints=[{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]),
    node("gpu-2", H20, {"nvidia.com/gpu": "8"}, unschedulable=True),
    node("mig-1", MIG, {"nvidia.com/gpu": "0", "nvidia.com/mig-2g.20gb": "3"}),
    node("shared-1", H20 | {"nvidia.com/gpu.product": "NVIDIA-H20-SHARED"}, {"nvidia.com/gpu": "32"}),
    node("npu-1", NPU, {"huawei.com/Ascend910": "8"}, ready="False"),
    node("cpu-1", {}, {}),
]
CLASS = {"metadata": {"name": "local", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}
ANSWERS: dict[str, Any] = {
    "/version": {"gitVersion": "v1.34.2"},
    "/apis": {"groups": [{"name": "apps"}, {"name": "leaderworkerset.x-k8s.io"}]},
    "/apis/storage.k8s.io/v1/storageclasses": {"items": [CLASS | {"provisioner": "rancher.io/local-path"}]},
    "/api/v1/namespaces/llm": {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}},
}


class Recording(ThreadingHTTPServer):
    """`forbidden` are paths answered with 403; nodes come two a page."""

    def __init__(self, forbidden: tuple[str, ...] = ()) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.forbidden = forbidden
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def kubeconfig(self) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "site",
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.server_port}"}}],
            "users": [{"name": "u", "user": {"token": "of-a-recording"}}],
            "contexts": [{"name": "site", "context": {"cluster": "c", "user": "u", "namespace": "llm"}}],
        }


class _Handler(BaseHTTPRequestHandler):
    server: Recording

    def do_GET(self) -> None:
        url = urlparse(self.path.rstrip("/"))
        if self.headers["Authorization"] != "Bearer of-a-recording":
            self._answer(401, {"reason": "Unauthorized"})
        elif url.path in self.server.forbidden:
            self._answer(403, {"reason": "Forbidden"})
        elif url.path == "/api/v1/nodes":
            start = int(parse_qs(url.query).get("continue", ["0"])[0])
            more = str(start + 2) if start + 2 < len(NODES) else ""
            self._answer(200, {"metadata": {"continue": more}, "items": NODES[start : start + 2]})
        else:
            self._answer(200 if url.path in ANSWERS else 404, ANSWERS.get(url.path, {"reason": "NotFound"}))

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Server", "recording-of-kube-apiserver")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""
