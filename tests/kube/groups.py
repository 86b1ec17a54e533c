"""The real LeaderWorkerSet controller, with its webhooks, as a process of this machine beside the control plane."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.kube.control_plane import ControlPlane
from tests.program import free_port, wait_until


class Groups:
    """Plays LeaderWorkerSets from `start` to `stop`; `kubectl` runs it with the administrator's rights."""

    def __init__(self, folder: Path, plane: ControlPlane, kubectl: Any) -> None:
        self._folder, self._plane, self._kubectl = folder, plane, kubectl
        self._crds = plane.binaries / "crds"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        certificate, key = self._plane.authority.issue("lws", "lws", hosts=("127.0.0.1",))
        for source, name in ((certificate, "tls.crt"), (key, "tls.key")):
            (self._folder / name).write_bytes(source.read_bytes())
        hooks, health = free_port(), free_port()
        config = {
            "apiVersion": "config.lws.x-k8s.io/v1alpha1", "kind": "Configuration",
            "leaderElection": {"leaderElect": False},
            "internalCertManagement": {"enable": False},
            "webhook": {"host": "127.0.0.1", "port": hooks, "certDir": str(self._folder)},
            "health": {"healthProbeBindAddress": f"127.0.0.1:{health}"}, "metrics": {"bindAddress": "0"},
        }  # fmt: skip
        (self._folder / "config.yaml").write_text(yaml.safe_dump(config))
        definition = self._crds / "leaderworkerset.x-k8s.io_leaderworkersets.yaml"
        self._kubectl("apply", "--server-side", "--filename", str(definition))
        wait_until(lambda: "leaderworkersets" in self._kubectl("api-resources", "--output", "name"))
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    self._plane.binaries / "lws-controller", "--config", self._folder / "config.yaml",
                    "--kubeconfig", self._plane.kubeconfig_of("lws-controller", "lws", "system:masters"),
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        wait_until(lambda: "Serving webhook server" in (self._folder / "log").read_text(), 60)
        self._kubectl("apply", "--filename", "-", input=self._hooks(hooks))

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
        self._kubectl("delete", "--ignore-not-found", "--filename", "-", input=self._hooks(1))
        self._kubectl("delete", "--ignore-not-found", "crd", "leaderworkersets.leaderworkerset.x-k8s.io")

    def _hooks(self, port: int) -> str:
        """The module's own webhooks, for pods of groups alone and at this process."""
        import base64

        trusted = base64.b64encode(self._plane.authority.certificate.read_bytes()).decode()
        many = [one for one in yaml.safe_load_all((self._crds / "manifests.yaml").read_text()) if one]
        for one in many:
            for hook in one["webhooks"]:
                path = hook["clientConfig"]["service"]["path"]
                hook["clientConfig"] = {"url": f"https://127.0.0.1:{port}{path}", "caBundle": trusted}
                if hook["rules"][0]["resources"] == ["pods"]:
                    key = {"key": "leaderworkerset.sigs.k8s.io/name", "operator": "Exists"}
                    hook["objectSelector"] = {"matchExpressions": [key]}
        return yaml.safe_dump_all(many)
