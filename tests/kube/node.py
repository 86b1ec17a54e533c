"""A real node of this machine: containerd, kubelet, kube-proxy and kube-router in folders of their own."""

import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import yaml

from dsdeploy.adapters.images.archive import Image, ImageFile, ImageSpec, describe_image, image_archive
from tests.kube.control_plane import PODS, SERVICES, ControlPlane
from tests.program import free_port

NAME = "node-a"
DNS = "10.96.0.10"
BRIDGE = "dsdkube0"
GATEWAY = "10.244.0.1"
_KERNEL = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward")
_NEEDED = ("runc", "iptables", "ipset")


def missing() -> tuple[str, ...]:
    """What this machine lacks for a node of its own."""
    plugins = () if Path("/usr/lib/cni/bridge").exists() else ("containernetworking-plugins",)
    root = () if os.getuid() == 0 else ("root",)
    return (*root, *plugins, *(one for one in _NEEDED if shutil.which(one) is None))


class Node:
    """Joins `plane` between `start` and `stop`; puts back the kernel settings and the rules that it changed."""

    def __init__(self, folder: Path, plane: ControlPlane) -> None:
        self.folder, self.plane = folder, plane
        self.socket, self.described = folder / "containerd.sock", folder / "cdi"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._kernel: dict[str, str] = {}
        self.described.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        self._kernel = {one: Path("/proc/sys", one).read_text() for one in _KERNEL}
        self._run("containerd", str(self.plane.binaries / "containerd"), "--config", str(self._containerd_config()))
        _wait(lambda: self._ctr("version").returncode == 0)
        self.load(describe_image(self._pause()))
        certificate, key = self.plane.authority.issue("kubelet", f"system:node:{NAME}", "system:nodes", (GATEWAY,))
        _bridge()
        self._run(
            "kubelet", str(self.plane.binaries / "kubelet"), "--config", str(self._kubelet_config(certificate, key)),
            "--kubeconfig", str(self.plane.kubeconfig_of("kubelet", f"system:node:{NAME}", "system:nodes")),
            "--root-dir", str(self.folder / "kubelet"), "--hostname-override", NAME, "--node-ip", GATEWAY,
        )  # fmt: skip
        self._run(
            "kube-proxy", str(self.plane.binaries / "kube-proxy"), "--config", str(self._proxy_config()),
        )  # fmt: skip

    def enforce(self) -> None:
        """Network policies from here on, by kube-router's firewall: its routes and service proxy stay off."""
        config = self.plane.kubeconfig_of("kube-router", "kube-router", "system:masters")
        self._run(
            "kube-router", str(self.plane.binaries / "kube-router"), "--kubeconfig", str(config),
            "--hostname-override", NAME, "--run-firewall=true", "--run-router=false", "--run-service-proxy=false",
            "--enable-cni=false", "--health-port", "0", "--metrics-port", "0", "--iptables-sync-period", "30s",
            "--service-cluster-ip-range", SERVICES,
        )  # fmt: skip

    @contextmanager
    def claimable(self, devices: int) -> Iterator[None]:
        """So many of the driver gpu.tests, to be claimed; they are taken back at the end."""
        config = self.plane.kubeconfig_of("claims", "claims", "system:masters")
        self._run(
            "claims", str(self.plane.binaries / "claims"), str(config), NAME, str(self.folder / "kubelet"),
            str(self.described), str(devices),
        )  # fmt: skip
        try:
            yield
        finally:
            self._end("claims")

    def load(self, image: Image) -> str:
        """Imports `image`; the reference, with its digest, by which pods name it."""
        archive = self.folder / "image.tar"
        with archive.open("wb") as file:
            for chunk in image_archive(image):
                file.write(chunk)
        done = self._ctr("images", "import", str(archive))
        archive.unlink()
        assert done.returncode == 0, done.stderr
        tag = f"docker.io/{image.spec.tag}"
        reference = f"{tag.rsplit(':', 1)[0]}@{image.manifest_digest}"
        for name in (reference, image.spec.tag):
            tagged = self._ctr("images", "tag", "--force", tag, name)
            assert tagged.returncode == 0, tagged.stderr
        return reference

    def process(self, name: str) -> "subprocess.Popen[bytes]":
        return self._processes[name]

    def stop(self) -> None:
        for name in ("kube-router", "kube-proxy", "kubelet"):
            self._end(name)
        for line in self._ctr("tasks", "list", "--quiet").stdout.split():
            self._ctr("tasks", "kill", "--signal", "SIGKILL", line)
        for line in self._ctr("containers", "list", "--quiet").stdout.split():
            self._ctr("tasks", "delete", "--force", line)
            self._ctr("containers", "delete", line)
        self._end("containerd")
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or ("",)
            if Path(words[0]).name.startswith("containerd-shim") and str(self.socket) in words:
                process.kill()
        _quiet(str(self.plane.binaries / "kube-proxy"), "--cleanup", "--config", str(self._proxy_config()))
        _quiet(str(self.plane.binaries / "kube-router"), "--cleanup-config")
        _forget_rules()
        _quiet("ip", "link", "delete", BRIDGE)
        for mount in sorted((one.mountpoint for one in psutil.disk_partitions(all=True)), reverse=True):
            if mount.startswith(str(self.folder)):
                _quiet("umount", "--lazy", mount)
        for setting, value in self._kernel.items():
            Path("/proc/sys", setting).write_text(value)

    def _pause(self) -> ImageSpec:
        files = (ImageFile("/pause", self.plane.binaries / "pause", executable=True),)
        return ImageSpec("dsdeploy/pause", "tests", files, ("/pause",), (), "65535:65535", {})

    def _ctr(self, *words: str) -> subprocess.CompletedProcess[str]:
        socket = (str(self.plane.binaries / "ctr"), "--address", str(self.socket), "--namespace", "k8s.io")
        return subprocess.run((*socket, *words), capture_output=True, text=True, timeout=300, check=False)

    def _containerd_config(self) -> Path:
        network = self.folder / "net.d"
        network.mkdir(exist_ok=True)
        (network / "10-bridge.conflist").write_text(json.dumps(_network(self.folder / "addresses")))
        path = self.folder / "containerd.toml"
        path.write_text(
            f"""version = 3
root = "{self.folder}/containerd"
state = "{self.folder}/containerd-state"
[grpc]
address = "{self.socket}"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "docker.io/dsdeploy/pause:tests"
[plugins."io.containerd.cri.v1.runtime"]
cdi_spec_dirs = ["{self.described}"]
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["/usr/lib/cni"]
conf_dir = "{network}"
[plugins."io.containerd.internal.v1.opt"]
path = "{self.folder}/opt"
[plugins."io.containerd.nri.v1.nri"]
disable = true
"""
        )
        return path

    def _kubelet_config(self, certificate: Path, key: Path) -> Path:
        names = self.folder / "resolv.conf"
        names.write_text("")
        path = self.folder / "kubelet.yaml"
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "kubelet.config.k8s.io/v1beta1",
                    "kind": "KubeletConfiguration",
                    "authentication": {
                        "anonymous": {"enabled": False},
                        "x509": {"clientCAFile": str(self.plane.authority.certificate)},
                    },
                    "authorization": {"mode": "Webhook"},
                    "address": GATEWAY,
                    "port": free_port(),
                    "healthzPort": 0,
                    "tlsCertFile": str(certificate),
                    "tlsPrivateKeyFile": str(key),
                    "cgroupDriver": "cgroupfs",
                    "failCgroupV1": False,
                    "containerRuntimeEndpoint": f"unix://{self.socket}",
                    "clusterDNS": [DNS],
                    "clusterDomain": "cluster.local",
                    "failSwapOn": False,
                    "featureGates": {"ImageVolume": True},
                    "resolvConf": str(names),
                    "volumePluginDir": str(self.folder / "volume-plugins"),
                    "podLogsDir": str(self.folder / "logs"),
                    "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
                    "imageGCHighThresholdPercent": 100,
                    "nodeStatusUpdateFrequency": "2s",
                    "nodeStatusReportFrequency": "5s",
                }
            )
        )
        return path

    def _proxy_config(self) -> Path:
        path = self.folder / "kube-proxy.yaml"
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
                    "kind": "KubeProxyConfiguration",
                    "mode": "iptables",
                    "clusterCIDR": PODS,
                    "hostnameOverride": NAME,
                    "healthzBindAddress": "",
                    "metricsBindAddress": f"127.0.0.1:{free_port()}",
                    "nodePortAddresses": ["127.0.0.0/8"],
                    "conntrack": {"maxPerCore": 0, "min": 0},
                    "clientConnection": {
                        "kubeconfig": str(self.plane.kubeconfig_of("kube-proxy", "system:kube-proxy")),
                    },
                }
            )
        )
        return path

    def _run(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                env={**os.environ, "PATH": f"{self.plane.binaries}:{os.environ['PATH']}"},  # its own shim, not Debian's
            )  # fmt: skip
        self._processes[name] = process

    def _end(self, name: str) -> None:
        process = self._processes.pop(name, None)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _network(addresses: Path) -> dict[str, object]:
    """A bridge of this machine alone: pods reach each other and the node, and nothing beyond."""
    ranges = [[{"subnet": "10.244.0.0/24", "gateway": GATEWAY}]]
    routes = [{"dst": "0.0.0.0/0"}]
    ipam = {"type": "host-local", "dataDir": str(addresses), "ranges": ranges, "routes": routes}
    bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "hairpinMode": True, "ipam": ipam}
    return {"cniVersion": "0.4.0", "name": "dsdeploy-tests", "plugins": [bridge, {"type": "firewall"}]}


def _bridge() -> None:
    """Made before the first pod, so that the node has an address which is not the machine's own."""
    _quiet("ip", "link", "add", BRIDGE, "type", "bridge")
    _quiet("ip", "address", "add", f"{GATEWAY}/24", "dev", BRIDGE)
    subprocess.run(["ip", "link", "set", BRIDGE, "up"], check=True)


def _forget_rules() -> None:
    """Takes away the rules and chains that a node's programs leave behind: those of Docker have other names."""
    for table in ("filter", "nat", "mangle"):
        told = subprocess.run(["iptables-save", "-t", table], capture_output=True, text=True, check=False).stdout
        ours = [line for line in told.splitlines() if " -j KUBE-" in line or " -j CNI-" in line]
        chains = [line[1:].split()[0] for line in told.splitlines() if line.startswith((":KUBE-", ":CNI-"))]
        for line in ours:
            _quiet("iptables", "-t", table, "-D", *shlex.split(line)[1:])
        for action in ("-F", "-X"):
            for chain in chains:
                _quiet("iptables", "-t", table, action, chain)


def _quiet(*words: str) -> None:
    subprocess.run(words, capture_output=True, check=False, timeout=60)


def _wait(true, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "the node does not start"
        time.sleep(0.1)
