"""Two machines for tests of the network between them: namespaces with an sshd each, and a wire of their own."""

import getpass
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dsdeploy.adapters.inventory import Host
from tests.program import wait_until

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
MISSING = os.getuid() != 0 or None in (SSHD, shutil.which("ssh"), shutil.which("ip"), shutil.which("tc"))
_WIRE = "wire0"


@dataclass(frozen=True, slots=True)
class Node:
    """`number` is the last of its addresses: 10.213.77 is ssh's network, 10.213.78 the wire between the two."""

    name: str
    number: int

    @property
    def address(self) -> str:
        return f"10.213.77.{4 * self.number + 2}"

    @property
    def data_address(self) -> str:
        return f"10.213.78.{self.number + 1}"

    def run(self, *words: str) -> None:
        command("ip", "netns", "exec", self.name, *words)

    def mtu(self, size: int) -> None:
        self.run("ip", "link", "set", "dev", _WIRE, "mtu", str(size))

    def shape(self, *words: str) -> None:
        self.run("tc", "qdisc", "replace", "dev", _WIRE, "root", *words)

    def unshape(self) -> None:
        self.run("tc", "qdisc", "del", "dev", _WIRE, "root")


def command(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


class TwoMachines:
    """`path` is a PATH whose `ssh` is the real one, pointed at these machines' keys as a user's settings would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nodes = (Node("dsdtest-a", 0), Node("dsdtest-b", 1))
        self.daemons: list[subprocess.Popen[bytes]] = []

    @property
    def hosts(self) -> tuple[Host, ...]:
        return tuple(Host(one.name, one.address, getpass.getuser(), 22, None, one.data_address) for one in self.nodes)

    @property
    def path(self) -> str:
        return f"{self.folder}:{os.environ['PATH']}"

    def start(self) -> None:
        self._keys()
        for node in self.nodes:
            command("ip", "netns", "add", node.name)
            node.run("ip", "link", "set", "lo", "up")
            here = f"dsdt{node.number}"
            command(*f"ip link add {here} type veth peer name eth0 netns {node.name}".split())
            command("ip", "addr", "add", f"10.213.77.{4 * node.number + 1}/30", "dev", here)
            command("ip", "link", "set", here, "up")
            node.run("ip", "addr", "add", f"{node.address}/30", "dev", "eth0")
            node.run("ip", "link", "set", "eth0", "up")
        one, other = self.nodes
        command(*f"ip link add {_WIRE} netns {one.name} type veth peer name {_WIRE} netns {other.name}".split())
        for node in self.nodes:
            node.run("ip", "addr", "add", f"{node.data_address}/24", "dev", _WIRE)
            node.run("ip", "link", "set", _WIRE, "up")
            log = self.folder / f"{node.name}.log"
            words = ["ip", "netns", "exec", node.name, str(SSHD), "-D", "-e", "-f", str(self.folder / "sshd.conf")]
            with log.open("w") as sink:
                self.daemons.append(subprocess.Popen(words, stderr=sink))
            wait_until(lambda log=log: "listening" in log.read_text())

    def stop(self) -> None:
        for one in self.daemons:
            one.terminate()
            one.wait()
        for node in self.nodes:  # a namespace ends in its own time, its links only then
            subprocess.run(["ip", "link", "del", f"dsdt{node.number}"], check=False, capture_output=True)
            subprocess.run(["ip", "netns", "del", node.name], check=False, capture_output=True)

    def _keys(self) -> None:
        os.makedirs("/run/sshd", exist_ok=True)
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name], check=True)
        (self.folder / "sshd.conf").write_text(
            f"Port 22\nHostKey {self.folder}/host\nPidFile none\nUsePAM no\nAuthorizedKeysFile {self.folder}/user.pub\n"
            "PasswordAuthentication no\nStrictModes no\nPermitRootLogin yes\nUseDNS no\n"
        )
        key = (self.folder / "host.pub").read_text()
        (self.folder / "known").write_text("".join(f"{one.address} {key}" for one in self.nodes))
        options = (
            f"-F none -o UserKnownHostsFile={self.folder}/known -o GlobalKnownHostsFile=none -i {self.folder}/user"
        )
        (self.folder / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} {options} "$@"\n')
        (self.folder / "ssh").chmod(0o755)
