"""Asks machines over the user's own ssh: no agent there, no password here, nothing written on either side."""

import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from dsdeploy.adapters.collector import NotCollected, collector_script, printable, read_answers
from dsdeploy.adapters.collector.machine import clock_s, read_machine
from dsdeploy.adapters.inventory import Host
from dsdeploy.core.fleet import BrokenHost, Machine

# A jump host sees them all, and its sshd drops some beyond ten that have not yet logged in (MaxStartups 10:30:100).
AT_ONCE = 10
_MOST_BYTES = 16 << 20  # of one machine: a broken or hostile one shall not fill this one's memory
_SSH_FAILED = 255  # sshd(8): "ssh exits with the exit status of the remote command or with 255 if an error occurred"
# What OpenSSH's client writes to stderr: ssh.c, sshconnect.c, sshconnect2.c, readconf.c of OpenSSH 9.
_FAULTS = (
    ("HostKeyChanged", r"REMOTE HOST IDENTIFICATION HAS CHANGED"),
    ("HostKeyUnknown", r"Host key verification failed|No .* host key is known"),
    ("HostDenied", r"Permission denied|Too many authentication failures|no matching .* found"),
    ("HostRefused", r"Connection refused"),
    ("HostTimedOut", r"timed out"),
    ("HostUnknown", r"Could not resolve hostname"),
    ("HostUnreachable", r"No route to host|Network is unreachable|Connection (closed|reset)"),
)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait: for the connection, and for a whole machine."""

    connect_s: int = 10
    machine_s: int = 180


def ask_hosts(
    hosts: tuple[Host, ...], patience: Patience, done: Callable[[str], None] = lambda _: None
) -> tuple[tuple[Machine, ...], tuple[BrokenHost, ...]]:
    """Those that answered and those that did not, each in the order given. `done` hears of each as it ends."""
    script = collector_script().encode()

    def ask(host: Host) -> Machine | BrokenHost:
        told = ask_host(host, script, patience)
        done(host.name)
        return told

    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = tuple(pool.map(ask, hosts))
    machines = tuple(one for one in told if isinstance(one, Machine))
    return machines, tuple(one for one in told if isinstance(one, BrokenHost))


def ask_host(host: Host, script: bytes, patience: Patience) -> Machine | BrokenHost:
    began = time.time()
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as asked:
        asked.write(script)
        asked.seek(0)
        try:
            ssh = subprocess.Popen(
                ssh_words(host, patience), stdin=asked, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
            )
        except OSError as error:
            return BrokenHost(host.name, "SshMissing", error.strerror or str(error))
        too_long = threading.Event()

        def stop() -> None:
            too_long.set()
            ssh.kill()

        limit = threading.Timer(patience.machine_s, stop)
        limit.start()
        try:
            with ssh:
                assert ssh.stdout is not None
                first = ssh.stdout.readline(_MOST_BYTES)
                heard = time.time()
                told = (first + ssh.stdout.read(_MOST_BYTES)).decode(errors="replace")
                ssh.stdout.close()
        finally:
            limit.cancel()
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip()
    if too_long.is_set():
        return BrokenHost(host.name, "HostTimedOut", f"{patience.machine_s} s")
    if ssh.returncode == _SSH_FAILED:
        code = next((code for code, words in _FAULTS if re.search(words, said, re.IGNORECASE)), "HostUnreachable")
        return BrokenHost(host.name, code, last_line(said))
    try:
        answers = read_answers(told)
        profile = read_machine(answers)
    except NotCollected as error:
        return BrokenHost(host.name, "HostNotCollected", last_line(said) or last_line(told) or str(error))
    clock = clock_s(answers)
    if clock is not None:
        # the machine looked at its clock, which it tells in whole seconds, between our two looks at ours
        profile = replace(
            profile, clock_ahead_s=clock + 0.5 - (began + heard) / 2, clock_error_s=0.5 + (heard - began) / 2
        )
    return Machine(host.name, profile)


def ssh_words(host: Host, patience: Patience, command: tuple[str, ...] = ("sh", "-s")) -> list[str]:
    words = ["ssh", "-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={patience.connect_s}"]
    words += ["-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"]
    words += ["-l", host.user] if host.user else []
    words += ["-p", str(host.port)] if host.port else []
    words += ["-i", host.identity_file] if host.identity_file else []
    return [*words, "--", host.address or host.name, *command]


def last_line(said: str) -> str:
    lines = [printable(line).strip() for line in said.splitlines() if line.strip(" @")]
    return lines[-1][:300] if lines else ""
