"""The real gateway, HAProxy with the chart's configuration, as a process of this machine before a stand-in engine."""

import contextlib
import hashlib
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsdeploy.adapters.endpoint import Endpoint
from dsdeploy.adapters.gateway import certificate
from dsdeploy.adapters.gateway.state import wait_until
from dsdeploy.adapters.templates import gateway_files
from dsdeploy.core.values import Release, Weights
from tests.fakes.engine import KEY
from tests.program import free_port

SECRET = "dsk-a-key-that-nobody-may-find-in-a-log-0123"


@dataclass(frozen=True, slots=True)
class Gateway:
    folder: Path
    port: int
    inner: Endpoint
    engine_port: int
    pid: int

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def authority(self) -> Path:
        return self.folder / "secrets/ca/ca.crt"

    @property
    def audit(self) -> str:
        return (self.folder / "audit.log").read_text()

    @property
    def log(self) -> str:
        return (self.folder / "gateway.log").read_text()

    def write_keys(self, **secrets: str) -> None:
        lines = (f"{hashlib.sha256(one.encode()).hexdigest()} {name}\n" for name, one in secrets.items())
        (self.folder / "secrets/keys/keys.map").write_text("".join(lines))


def secure(gateway: Gateway, receive_bytes: int | None = None, source: str = "127.0.0.1") -> ssl.SSLSocket:
    """A connection with TLS from that address of this machine."""
    plain = socket.socket()
    plain.settimeout(60)
    if receive_bytes:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    plain.bind((source, 0))
    plain.connect(("127.0.0.1", gateway.port))
    return ssl.create_default_context(cafile=str(gateway.authority)).wrap_socket(plain, server_hostname="127.0.0.1")


def said(connection: ssl.SSLSocket, words: str | bytes) -> bytes:
    connection.sendall(words.encode() if isinstance(words, str) else words)
    return connection.recv(300)


def last(gateway: Gateway, count: int = 1) -> list[dict[str, Any]]:
    """The newest entries of the audit log, which must be JSON line by line."""
    time.sleep(0.2)
    return [json.loads(line) for line in gateway.audit.splitlines()][-count:]


def release_in(folder: Path) -> Release:
    weights = Weights("m", "f", "hub", None, "/w", ())
    return Release("r", "compose", "m", "f", 1, 1, "127.0.0.1", 1, "", str(folder), weights, 1, "installed", "")


@contextlib.contextmanager
def stand_in(port: int) -> Iterator[None]:
    engine = subprocess.Popen([sys.executable, "-m", "tests.fakes.engine", str(port)], stdout=subprocess.PIPE)
    try:
        assert engine.stdout is not None and engine.stdout.readline() == b"listening\n"
        yield
    finally:
        _end(engine)


@contextlib.contextmanager
def gateway(
    folder: Path, engine: Callable[[int], contextlib.AbstractContextManager[None]] = stand_in, **environment: str
) -> Iterator[Gateway]:
    """Listening, with the key SECRET named `user`, before an engine that takes KEY. Ends what it started."""
    release = release_in(folder)
    certificate.make(release)
    for name in ("keys", "engine"):
        (folder / "secrets" / name).mkdir(parents=True, exist_ok=True)
    (folder / "secrets/engine/engine-key").write_text(f"{KEY}\n")
    (folder / "secrets/config").mkdir()
    for name, content in gateway_files().items():
        (folder / "secrets/config" / name).write_text(content)
    port, inner_port, engine_port = free_port(), free_port(), free_port()
    found = Gateway(folder, port, Endpoint("127.0.0.1", inner_port), engine_port, 0)
    found.write_keys(user=SECRET)
    words = {
        "GATEWAY_FOLDER": str(folder / "secrets"), "GATEWAY_HOST": "127.0.0.1", "GATEWAY_PORT": str(port),
        "METRICS_HOST": "127.0.0.1", "METRICS_PORT": str(inner_port), "ENGINE_HOST": "127.0.0.1",
        "ENGINE_PORT": str(engine_port), "PATH": os.environ["PATH"], **environment,
    }  # fmt: skip
    with (
        engine(engine_port),
        (folder / "audit.log").open("w") as audit,
        (folder / "gateway.log").open("w") as log,
    ):
        proxy = subprocess.Popen(
            ["/usr/sbin/haproxy", "-W", "-db", "-f", str(folder / "secrets/config/haproxy.cfg")],
            env=words, stdout=audit, stderr=log,
        )  # fmt: skip
        try:
            up = wait_until(found.inner, lambda state: all(one.state == "UP" for one in state.upstreams), 20)
            assert up, (folder / "gateway.log").read_text()
            time.sleep(0.1)
            yield Gateway(folder, port, found.inner, engine_port, proxy.pid)
        finally:
            _end(proxy)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
