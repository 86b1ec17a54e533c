"""What flows to and from a pod through the API server: a port's bytes, and a program's words and output."""

import time
from collections.abc import Iterable
from typing import Any

from dsdeploy.adapters.targets.kubernetes.connection import TIMEOUT_S, Cluster
from dsdeploy.core.errors import InstallError
from dsdeploy.core.texts import text

_EXEC_S = 60


def forward(cluster: Cluster, pod: str, port: int) -> Any:
    """A socket whose other end is that port of the pod. Raises as `Cluster`."""
    from kubernetes.stream import portforward

    with cluster.translated("get pods/portforward"):
        core = cluster.core()
        opened = portforward(
            core.connect_get_namespaced_pod_portforward, pod, cluster.namespace, ports=str(port),
            _request_timeout=TIMEOUT_S,
        )  # fmt: skip
        return opened.socket(port)


def run_inside(cluster: Cluster, pod: str, container: str, words: tuple[str, ...]) -> str:
    """What `words` print there. Raises InstallError also where they cannot be run or end in failure."""
    with cluster.translated("get pods/exec"):
        talk = _talk(cluster, pod, container, words, stdin=False)
        talk.run_forever(timeout=_EXEC_S)
        return _finished(talk)


def feed(
    cluster: Cluster, pod: str, container: str, words: tuple[str, ...], pieces: Iterable[bytes], silent_s: float
) -> str:
    """What `words` print there, having read `pieces`, whose length they know, from their standard input.

    Raises InstallError also where they cannot be run, take or say nothing for `silent_s`, or end in failure.
    """
    with cluster.translated("get pods/exec"):
        talk = _talk(cluster, pod, container, words, stdin=True)
        try:
            talk.sock.settimeout(silent_s)
            for piece in pieces:
                talk.update(timeout=0)
                if not talk.is_open():
                    break
                talk.write_stdin(piece)
            said, end = 0, time.monotonic() + silent_s
            while talk.is_open() and time.monotonic() < end:
                talk.update(timeout=1)
                if (now := len(talk.peek_stdout())) != said:
                    said, end = now, time.monotonic() + silent_s
            return _finished(talk)
        finally:
            talk.close()


def _talk(cluster: Cluster, pod: str, container: str, words: tuple[str, ...], *, stdin: bool) -> Any:
    from kubernetes.stream import stream

    return stream(
        cluster.core().connect_get_namespaced_pod_exec, pod, cluster.namespace, container=container,
        command=list(words), stdin=stdin, stdout=True, stderr=True, tty=False, binary=stdin, _preload_content=False,
    )  # fmt: skip


def _finished(talk: Any) -> str:
    if _exit_code(talk) != 0:
        said = _words(talk.read_stderr(timeout=1)).strip() or "?"
        raise InstallError(text("kubernetes-said", right="get pods/exec", said=said), hint=text("kubernetes-said-hint"))
    return _words(talk.read_stdout(timeout=1))


def _exit_code(talk: Any) -> int | None:
    """None while it runs, and where the connection ended before it did."""
    try:
        return int(talk.returncode)
    except (TypeError, ValueError, LookupError):
        return None


def _words(said: str | bytes) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said
