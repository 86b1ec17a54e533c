"""Measures the ways between machines over the user's own ssh: a stream of seconds, then nothing is left there."""

import json
import secrets
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from dsdeploy.adapters.inventory import Host
from dsdeploy.adapters.ssh import Patience, last_line, ssh_words
from dsdeploy.core.fabric import NodePath

STREAM_S = 2.0
_END_S = 30  # a probe on a machine ends by itself after this, whatever becomes of us
_ALL_PAIRS = 4  # machines; of more, each only with the next and back
_PROBE = Path(__file__).with_name("probe.py")
_PYTHON = ("python3", "-")
_KEPT = 65536
_PATIENCE = Patience()


def pairs_of(hosts: tuple[Host, ...]) -> tuple[tuple[Host, Host], ...]:
    """Every two machines, in both directions; of more than four, neighbours in a ring."""
    if len(hosts) <= _ALL_PAIRS:
        return tuple((one, other) for one in hosts for other in hosts if one is not other)
    ring = tuple(zip(hosts, (*hosts[1:], hosts[0]), strict=True))
    return (*ring, *((other, one) for one, other in ring))


def measure_paths(hosts: tuple[Host, ...], done: Callable[[str], None] = lambda _: None) -> tuple[NodePath, ...]:
    """One after the other, so that none disturbs another. `done` hears of each. A path that fails says why."""
    found = []
    for source, target in pairs_of(hosts):
        found.append(_measure(source, target))
        done(found[-1].words)
    return tuple(found)


def _measure(source: Host, target: Host) -> NodePath:
    token = secrets.token_hex(16).encode()
    address = target.data_address or target.address or target.name
    try:
        with _probe(target, "receive", address, token, _END_S) as (receiver, errors):
            first = _line(receiver)
            if not first.startswith("port "):
                return _failed(source, target, target, errors, first)
            port = int(first.split()[1])
            with _probe(source, "send", address, port, token, STREAM_S, _END_S) as (sender, errors):
                said = _line(sender)
                if not said.startswith("{"):
                    return _failed(source, target, source, errors, said)
                return NodePath(source.name, target.name, **json.loads(said))
    except (OSError, ValueError, TypeError) as error:
        return NodePath(source.name, target.name, fault=str(error) or type(error).__name__)


@contextmanager
def _probe(host: Host, role: str, *arguments: object) -> Iterator[tuple[IO[str], IO[str]]]:
    """What it prints and what it complains of; its ssh is ended in the end, and with it the probe's connection."""
    words = ssh_words(host, _PATIENCE, _PYTHON)
    script = f"{_PROBE.read_text(encoding='utf-8')}\nmain({role!r}, {', '.join(map(repr, arguments))})\n"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        words, stdin=pipe, stdout=pipe, stderr=pipe, text=True, errors="replace", start_new_session=True
    ) as ssh:
        assert ssh.stdin and ssh.stdout and ssh.stderr
        limit = threading.Timer(_END_S + _PATIENCE.connect_s, ssh.kill)
        limit.start()
        try:
            with suppress(BrokenPipeError):  # it has ended already, and said why on its other pipe
                ssh.stdin.write(script)
                ssh.stdin.close()
            yield ssh.stdout, ssh.stderr
        finally:
            limit.cancel()
            ssh.kill()


def _line(said: IO[str]) -> str:
    """The probe's one line; a greeting of the machine's own shell may stand before it."""
    for _ in range(100):
        line = said.readline(_KEPT)
        if not line or line.startswith(("port ", "{")):
            return line.strip()
    return ""


def _failed(source: Host, target: Host, at: Host, errors: IO[str], said: str) -> NodePath:
    reason = last_line(errors.read(_KEPT)) or said or "-"
    return NodePath(source.name, target.name, fault=f"{at.name}: {reason}")
