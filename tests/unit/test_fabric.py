"""The probes of the network between machines, real ones over this machine's loopback; `ssh` alone is a stand-in."""

import socket

import pytest

from dsdeploy.adapters import fabric
from dsdeploy.adapters.fabric import probe
from dsdeploy.adapters.inventory import Host

HERE = '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift 2\nexec "$@"\n'
SHUT = '#!/bin/sh\nexec 0<&-\necho "ssh: connect to host b port 22: Connection refused" >&2\nexit 255\n'
TOKEN = b"t" * 32


@pytest.fixture
def ssh(tmp_path, monkeypatch):
    def be(script):
        program = tmp_path / "ssh"
        program.write_text(script)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        monkeypatch.setattr(fabric, "STREAM_S", 0.05)

    return be


def hosts(address):
    return tuple(Host(name, address, None, None, None, None) for name in "ab")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_path_is_measured_in_both_families(ssh, address):
    if address == "::1" and not any(one == address for _, one in probe.addresses6()):
        pytest.skip("this machine has no IPv6")
    ssh(HERE)
    there, back = fabric.measure_paths(hosts(address))
    for path in (there, back):
        assert path.fault is None and path.bits_per_s and path.quick_round_trip_s
        assert path.interface_mtu_bytes == probe.read("lo", "mtu")
        assert path.mtu_bytes is not None and path.mtu_bytes <= path.interface_mtu_bytes


def test_an_ssh_that_ends_before_it_has_heard_all_is_quoted(ssh, monkeypatch):
    """More than a pipe holds, so that its end is met while writing."""
    ssh(SHUT)
    monkeypatch.setattr(fabric, "_PROBE", type("Long", (), {"read_text": lambda self, encoding: "#" * (1 << 20)})())
    (path, _) = fabric.measure_paths(hosts("127.0.0.1"))
    assert path.fault == "b: ssh: connect to host b port 22: Connection refused"


def test_a_machine_whose_own_name_means_loopback_is_reached_from_elsewhere(ssh):
    if probe.resolve("localhost", 0)[0] != socket.AF_INET:
        pytest.skip("localhost is an IPv6 address here")
    ssh(HERE)
    with fabric._probe(hosts("localhost")[0], "receive", "localhost", TOKEN, 10) as (said, _):
        port = int(fabric._line(said).split()[1])
        socket.create_connection(("127.0.0.2", port), 2).close()
    with fabric._probe(hosts("127.0.0.1")[0], "receive", "127.0.0.1", TOKEN, 10) as (said, _):
        port = int(fabric._line(said).split()[1])
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", port), 2).close()
