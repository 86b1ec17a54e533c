"""A fleet over real ssh: an sshd on loopback with keys, configuration and a port of the test's own."""

import getpass
import os
import shutil
import subprocess

import pytest
import yaml

from dsdeploy.adapters.inventory import Host
from dsdeploy.adapters.ssh import Patience, ssh_words
from dsdeploy.stages.profile import load_fleet
from tests.program import free_port, run, run_json, wait_until

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(SSHD is None or shutil.which("ssh") is None, reason="needs openssh-server")


class Site:
    """One sshd, and the ssh configuration of a user who knows it by several names."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        for name in ("host", "other_host", "user", "stranger", "forced"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        forced = 'command="echo only backups here" ' + (folder / "forced.pub").read_text()
        (folder / "authorized").write_text((folder / "user.pub").read_text() + forced)
        (folder / "sshd.conf").write_text(
            f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {folder}/authorized\nPasswordAuthentication no\nStrictModes no\nPermitRootLogin yes\n"
        )
        known = f"[127.0.0.1]:{self.port} "
        (folder / "known").write_text(known + (folder / "host.pub").read_text())
        (folder / "changed").write_text(known + (folder / "other_host.pub").read_text())
        (folder / "empty").write_text("")

    def start(self):
        os.makedirs("/run/sshd", exist_ok=True)
        log = (self.folder / "sshd.log").open("w")
        self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", self.folder / "sshd.conf"], stderr=log)
        wait_until(lambda: "listening" in (self.folder / "sshd.log").read_text())

    def program(self, known="known", key="user"):
        """A folder with an `ssh` that is the real one, pointed at this site's files as a user's own settings would."""
        place = self.folder / f"bin-{known}-{key}"
        place.mkdir(exist_ok=True)
        options = (
            f"-F none -o UserKnownHostsFile={self.folder}/{known} -o GlobalKnownHostsFile=none -o IdentitiesOnly=yes"
        )
        (place / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} {options} -i {self.folder}/{key} "$@"\n')
        (place / "ssh").chmod(0o755)
        return f"{place}:{os.environ['PATH']}"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("site"))
    site.start()
    yield site
    site.process.terminate()
    site.process.wait()


@pytest.fixture
def inventory(site, tmp_path):
    def write(*more, names=("gpu-01",)):
        there = {"address": "127.0.0.1", "port": site.port, "user": getpass.getuser()}
        path = tmp_path / "inventory.yaml"
        path.write_text(yaml.safe_dump({"hosts": [*({"name": name, **there} for name in names), *more]}))
        return str(path)

    return write


def test_a_machine_over_ssh_is_the_machine_seen_from_inside(site, inventory):
    here = run_json("profile")["data"]
    (there,) = run_json("profile", "--hosts", inventory(), PATH=site.program())["data"]["machines"]
    assert there["name"] == "gpu-01"
    for fact in ("hostname", "kernel", "cpu_model", "cpu_threads", "memory_bytes", "cpu_architecture", "distribution"):
        assert there["profile"][fact] == here[fact], fact
    assert abs(there["profile"]["clock_ahead_s"]) <= there["profile"]["clock_error_s"] + 1


def test_broken_hosts_hide_no_others_and_each_is_named(site, inventory, tmp_path):
    refused = {"name": "refused", "address": "127.0.0.1", "port": free_port()}
    unknown = {"name": "nowhere.invalid"}
    path = inventory(refused, unknown, names=("a", "b"))
    saved = tmp_path / "fleet.json"
    fleet = run_json("profile", "--hosts", path, "--save", str(saved), PATH=site.program())["data"]
    assert [one["name"] for one in fleet["machines"]] == ["a", "b"]
    assert [(one["name"], one["code"]) for one in fleet["broken"]] == [
        ("refused", "HostRefused"),
        ("nowhere.invalid", "HostUnknown"),
    ]
    assert all(one["message"] and one["hint"] for one in fleet["broken"]) and '"message"' not in saved.read_text()
    read = load_fleet(saved)
    assert [one.name for one in read.machines] == ["a", "b"] and all(one.hint for one in read.broken)
    r = run("profile", "--hosts", path, PATH=site.program(), COLUMNS="80")
    assert "HostRefused" in r.stdout and max(map(len, r.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("known", "key", "code", "words"),
    [
        ("empty", "user", "HostKeyUnknown", "its host key is not known"),
        ("changed", "user", "HostKeyChanged", "host key is not the one known"),
        ("known", "stranger", "HostDenied", "refused the login"),
        ("known", "forced", "HostNotCollected", "only backups here"),
    ],
)
def test_every_way_to_be_shut_out_has_its_own_words(site, inventory, known, key, code, words):
    r = run("profile", "--hosts", inventory(), PATH=site.program(known, key))
    assert r.returncode == 10 and "NoHostAnswered" in r.stderr and words in r.stderr and "Traceback" not in r.stderr


def test_a_machine_that_never_speaks_times_out(tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        path = tmp_path / "inventory.yaml"
        path.write_text(f"- {{name: silent, address: 127.0.0.1, port: {silent.getsockname()[1]}}}\n")
        r = run("profile", "--hosts", str(path), "--connect-timeout", "1")
    assert r.returncode == 10 and "silent did not answer in time" in r.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("hosts: []", "lists no hosts"),
        ("- {adress: x}", "hosts[0] has no name"),
        ("- {name: x, adress: y}", "nearest is address"),
        ("- {name: -oProxyCommand=evil}", "not a usable value"),
        ("- x\n- x", "x is listed twice"),
        ("a: [", "cannot be used"),
    ],
)
def test_a_bad_inventory_is_named_with_its_place(tmp_path, words, said):
    (tmp_path / "i.yaml").write_text(words)
    r = run("profile", "--hosts", str(tmp_path / "i.yaml"))
    assert r.returncode == 10 and "InventoryUnreadable" in r.stderr and said in r.stderr


def test_ssh_gets_no_password_prompt_and_no_option_from_a_name():
    words = ssh_words(Host("gpu", user="ops", port=2222), Patience(connect_s=3))
    assert "BatchMode=yes" in words and "ConnectTimeout=3" in words and words[-4:] == ["--", "gpu", "sh", "-s"]


def test_the_collector_is_a_script_that_the_program_reads_back(tmp_path):
    script = run("profile", "--collector").stdout
    collected = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True).stdout
    (tmp_path / "c.txt").write_text("Welcome!\n" + collected)
    found = run_json("profile", "--from", str(tmp_path / "c.txt"))["data"]
    assert found["memory_bytes"] == run_json("profile")["data"]["memory_bytes"]
    (tmp_path / "torn.txt").write_text(collected[: len(collected) // 2])
    r = run("profile", "--from", str(tmp_path / "torn.txt"))
    assert r.returncode == 10 and "ProfileUnreadable" in r.stderr
