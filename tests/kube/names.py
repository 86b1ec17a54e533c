"""The cluster's DNS: a small server in a pod behind the Service kube-dns, told of every Service and its endpoints."""

import os
import threading
from pathlib import Path
from typing import Any

from tests.kube.node import DNS

_LABELS = {"k8s-app": "kube-dns"}
_EVERY_S = 1
_DOMAIN = "svc.cluster.local"


class Names:
    """Answers from `start` to `stop`, a second or two behind the API server. `image` holds a Python."""

    def __init__(self, api: Any, image: str, folder: Path) -> None:
        self._api, self._image, self._folder = api, image, folder
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "server.py").write_text(Path(__file__).with_name("dns_server.py").read_text())
        self._write("")
        service = {"clusterIP": DNS, "selector": _LABELS, "ports": [{"port": 53, "protocol": "UDP"}]}
        self._api.create_namespaced_service("kube-system", {"metadata": {"name": "kube-dns"}, "spec": service})
        container = {
            "name": "names", "image": self._image, "imagePullPolicy": "IfNotPresent",
            "command": ["/usr/bin/python3", "-u", "/names/server.py", "/names/hosts"],
            "volumeMounts": [{"name": "names", "mountPath": "/names", "readOnly": True}],
            "securityContext": {"runAsUser": 0},
        }  # fmt: skip
        volume = {"name": "names", "hostPath": {"path": str(self._folder)}}
        spec = {"containers": [container], "volumes": [volume], "automountServiceAccountToken": False}
        pod = {"metadata": {"name": "kube-dns", "labels": _LABELS}, "spec": spec}
        self._api.create_namespaced_pod("kube-system", pod)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(timeout=10)

    def _follow(self) -> None:
        while not self._ended.wait(_EVERY_S):
            try:
                self._write(self._known())
            except Exception:  # the API server may be down, by a test's own doing: the last names stay
                continue

    def _write(self, content: str) -> None:
        beside = self._folder / "hosts.new"
        beside.write_text(content)
        os.replace(beside, self._folder / "hosts")

    def _known(self) -> str:
        """A Service's own address; without one, those of its pods, and of each pod with a name of its own there."""
        places = {}
        for one in self._api.list_service_for_all_namespaces().items:
            headless = one.spec.cluster_ip in (None, "None")
            places[one.metadata.namespace, one.metadata.name] = [] if headless else [one.spec.cluster_ip]
        hosts = {}
        for one in self._api.list_endpoints_for_all_namespaces().items:
            space, name = one.metadata.namespace, one.metadata.name
            addresses = [address for part in one.subsets or () for address in part.addresses or ()]
            if places.get((space, name)) == []:
                places[space, name] = [address.ip for address in addresses]
                hosts |= {(space, f"{it.hostname}.{name}"): [it.ip] for it in addresses if it.hostname}
        return "".join(
            f"{address} {name}.{space}.{_DOMAIN}\n"
            for (space, name), many in sorted((places | hosts).items())
            for address in many
        )
