"""The control plane, as scripts/kube/build.sh built it: etcd, API server, controllers and scheduler, on loopback."""

import os
import subprocess
import time
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path
from ssl import create_default_context
from typing import Any

import yaml

from tests.kube.certificates import Authority
from tests.program import free_port

SERVICES = "10.96.0.0/16"
PODS = "10.244.0.0/16"
_BUILD = Path(__file__).parents[2] / "scripts/kube/build.sh"
_START_S = 90


def build() -> Path:
    """The folder of the binaries; minutes the first time."""
    made = subprocess.run(["bash", _BUILD], stdout=subprocess.PIPE, text=True, check=True)
    return Path(made.stdout.strip())


class ControlPlane:
    """Runs from `start` to `stop`; `kubeconfig` is the administrator's. Logs lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.binaries = folder, build()
        folder.mkdir(parents=True, exist_ok=True)
        self.authority = Authority(folder / "pki")
        self.port, self._etcd, self._peer = free_port(), free_port(), free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        hosts = ("127.0.0.1", "localhost", "10.96.0.1", "kubernetes.default.svc")
        self._serving = self.authority.issue("serving", "kube-apiserver", hosts=hosts)
        self._kubelet_client = self.authority.issue("kubelet-client", "kube-apiserver", "system:masters")
        self._accounts = self.authority.issue("accounts", "service-accounts")[1]
        self.kubeconfig = self.kubeconfig_of("admin", "admin", "system:masters")

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._run(
            "etcd", "--data-dir", str(self.folder / "etcd"), "--unsafe-no-fsync", "--name", "tests",
            "--listen-client-urls", f"http://127.0.0.1:{self._etcd}",
            "--advertise-client-urls", f"http://127.0.0.1:{self._etcd}",
            "--listen-peer-urls", f"http://127.0.0.1:{self._peer}",
            "--initial-advertise-peer-urls", f"http://127.0.0.1:{self._peer}",
            "--initial-cluster", f"tests=http://127.0.0.1:{self._peer}",
        )  # fmt: skip
        self.start_api_server()
        for name, extra in (
            (
                "kube-controller-manager",
                (
                    "--service-account-private-key-file", str(self._accounts),
                    "--root-ca-file", str(self.authority.certificate), "--use-service-account-credentials",
                    "--node-monitor-grace-period", "20s", "--terminated-pod-gc-threshold", "100",
                    "--allocate-node-cidrs", "--cluster-cidr", PODS,
                ),
            ),
            ("kube-scheduler", ()),
        ):  # fmt: skip
            config = self.kubeconfig_of(name, f"system:{name}")
            words = ("--kubeconfig", str(config), "--authentication-kubeconfig", str(config))
            alone = ("--authorization-kubeconfig", str(config), "--leader-elect=false", "--bind-address", "127.0.0.1")
            self._run(name, *words, *alone, "--secure-port", str(free_port()), *extra)
        self.wait(lambda: self._ask("/api/v1/namespaces/default/serviceaccounts/default") == 200)

    def start_api_server(self) -> None:
        certificate, key = self._serving
        kubelet_certificate, kubelet_key = self._kubelet_client
        self._run(
            "kube-apiserver", "--etcd-servers", f"http://127.0.0.1:{self._etcd}",
            "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", "--endpoint-reconciler-type", "none",
            "--secure-port", str(self.port), "--tls-cert-file", str(certificate), "--tls-private-key-file", str(key),
            "--client-ca-file", str(self.authority.certificate), "--authorization-mode", "Node,RBAC",
            "--enable-admission-plugins", "NodeRestriction", "--service-cluster-ip-range", SERVICES,
            "--service-account-issuer", "https://kubernetes.default.svc",
            "--service-account-key-file", str(self._accounts),
            "--service-account-signing-key-file", str(self._accounts),
            "--kubelet-client-certificate", str(kubelet_certificate), "--kubelet-client-key", str(kubelet_key),
            "--kubelet-preferred-address-types", "InternalIP", "--service-node-port-range", "20000-32767",
            "--watch-cache=true", "--profiling=false", "--feature-gates", "ImageVolume=true",
        )  # fmt: skip
        self.wait(lambda: self._ask("/readyz") == 200)

    def kill(self, name: str) -> None:
        """As a crash would."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def stop(self) -> None:
        for name in reversed(tuple(self._processes)):
            process = self._processes.pop(name)
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def kubeconfig_of(
        self, name: str, user: str, group: str = "", *, lasts: timedelta = timedelta(days=1), namespace: str = "default"
    ) -> Path:
        """A file whose only context, `tests`, is `user` by a certificate that `lasts`."""
        certificate, key = self.authority.issue(name, user, group, lasts=lasts)
        who = {"client-certificate": str(certificate), "client-key": str(key)}
        return self.write_kubeconfig(name, who, namespace)

    def write_kubeconfig(self, name: str, who: dict[str, str], namespace: str = "default") -> Path:
        server = {"server": self.url, "certificate-authority": str(self.authority.certificate)}
        context = {"cluster": "tests", "user": "tests", "namespace": namespace}
        path = self.folder / f"{name}.kubeconfig"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": server}],
            "users": [{"name": "tests", "user": who}],
            "contexts": [{"name": "tests", "context": context}],
            "current-context": "tests",
        }
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document))
        return path

    def wait(self, true, seconds: float = _START_S) -> None:
        end = time.monotonic() + seconds
        while not true():
            dead = [name for name, process in self._processes.items() if process.poll() is not None]
            assert not dead, f"{dead[0]}: {(self.folder / f'{dead[0]}.log').read_text()[-3000:]}"
            assert time.monotonic() < end, "the control plane does not answer"
            time.sleep(0.1)

    def _run(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [self.binaries / name, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                env={key: value for key, value in os.environ.items() if not key.startswith("ETCD_")},
            )  # fmt: skip
        self._processes[name] = process

    def _ask(self, path: str) -> int:
        who = yaml.safe_load(self.kubeconfig.read_text())["users"][0]["user"]
        context = create_default_context(cafile=str(self.authority.certificate))
        context.load_cert_chain(who["client-certificate"], who["client-key"])
        try:
            with urllib.request.urlopen(f"{self.url}{path}", context=context, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0


def client_of(kubeconfig: Path) -> Any:
    """The kubernetes library's client for that file."""
    from kubernetes import config

    return config.new_client_from_config(str(kubeconfig))
