"""A door on this machine that leads to a pod, through the API server: no address of the cluster need be reachable."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from dsdeploy.adapters.targets.kubernetes.connection import Cluster, Document
from dsdeploy.adapters.targets.kubernetes.streams import forward
from dsdeploy.core.errors import InstallError

HERE = "127.0.0.1"
_PIECE_BYTES = 1 << 16


@contextmanager
def door(cluster: Cluster, pod: Document, port: str) -> Iterator[int]:
    """A port of this machine's own address that leads to the port of that name, while the block lasts.

    Raises as `Cluster` where nothing may be forwarded; later connections that fail are closed.
    """
    name = pod["metadata"]["name"]
    inner = next(
        int(one["containerPort"])
        for container in pod["spec"]["containers"] for one in container.get("ports") or () if one.get("name") == port
    )  # fmt: skip
    forward(cluster, name, inner).close()
    with closing(socket.create_server((HERE, 0), backlog=64)) as listener:
        threading.Thread(target=_serve, args=(listener, cluster, name, inner), daemon=True).start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for the next connection


def _serve(listener: socket.socket, cluster: Cluster, pod: str, port: int) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_join, args=(client, cluster, pod, port), daemon=True).start()


def _join(client: socket.socket, cluster: Cluster, pod: str, port: int) -> None:
    with closing(client), suppress(InstallError, OSError), closing(forward(cluster, pod, port)) as inner:
        other = {client: inner, inner: client}
        while True:
            for one in select.select([client, inner], [], [])[0]:
                piece = one.recv(_PIECE_BYTES)
                if not piece:
                    return
                other[one].sendall(piece)
