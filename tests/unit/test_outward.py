"""Which addresses lead out, and who is heard at the door."""

import socket
from types import SimpleNamespace

import psutil
import pytest

from dsdeploy.adapters.outward import open_doors, outward_addresses
from tests.program import wait_until


def test_ipv6_leads_out_and_neither_loopback_nor_link_nor_containers_do(monkeypatch):
    found = {
        "eth0": ("192.0.2.2", "fd00::2", "fe80::1%eth0", "169.254.3.4"),
        "lo": ("127.0.0.1", "::1"),
        "docker0": ("172.17.0.1", "fd01::1"),
        "eth1": ("198.51.100.1",),
    }
    addresses = {
        name: [SimpleNamespace(address=one, family=socket.AF_INET6 if ":" in one else socket.AF_INET) for one in listed]
        for name, listed in found.items()
    }
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: addresses)
    monkeypatch.setattr(psutil, "net_if_stats", lambda: {name: SimpleNamespace(isup=name != "eth1") for name in found})
    assert outward_addresses() == ("192.0.2.2", "fd00::2")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_stranger_at_the_door_is_no_visitor(address):
    with open_doors((address,)) as doors:
        for said in (b"", b"GET / HTTP/1.1\r\n\r\n", doors.word.encode()):
            with socket.create_connection(doors.places[0]) as caller:
                caller.sendall(said)
        wait_until(lambda: bool(doors.visitors))
        assert doors.visitors == [address]
