"""Where this machine can be reached from outside, and a listener there that hears who comes."""

import ipaddress
import re
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil

# Docker's and Kubernetes' own bridges: every container is on one, so reaching them is no way out.
_CONTAINERS_OWN = re.compile(r"lo|docker\d+|br-[0-9a-f]{12}|veth.*|cni\d+|flannel.*|cali.*")
_WAIT_S = 1.5


@dataclass(slots=True)
class Doors:
    """Sockets that listen: `places` are address and port, `visitors` addresses that came to them and said `word`."""

    places: tuple[tuple[str, int], ...]
    word: str
    visitors: list[str] = field(default_factory=list)


def outward_addresses() -> tuple[str, ...]:
    """Addresses of interfaces that are up and lead out of this machine, IPv6 too."""
    up = {name for name, one in psutil.net_if_stats().items() if one.isup and not _CONTAINERS_OWN.fullmatch(name)}
    return tuple(
        one.address
        for name, addresses in sorted(psutil.net_if_addrs().items())
        for one in addresses
        if name in up and one.family in (socket.AF_INET, socket.AF_INET6) and _leads_out(one.address)
    )


def _leads_out(address: str) -> bool:
    known = ipaddress.ip_address(address.partition("%")[0])
    return not known.is_loopback and not known.is_link_local


@contextmanager
def open_doors(addresses: tuple[str, ...]) -> Iterator[Doors]:
    """One listener an address, on a port of the system's choice. Those that this machine itself cannot reach are left
    out: they would prove nothing."""
    listeners = []
    for address in addresses:
        with suppress(OSError):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listeners.append(socket.create_server((address, 0), family=family))
    try:
        doors = Doors(tuple(one.getsockname()[:2] for one in listeners if _is_reached(one)), secrets.token_hex(8))
        for one in listeners:
            threading.Thread(target=_answer, args=(one, doors), daemon=True).start()
        yield doors
    finally:
        for one in listeners:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def _is_reached(listener: socket.socket) -> bool:
    try:
        with socket.create_connection(listener.getsockname()[:2], _WAIT_S):
            listener.accept()[0].close()
    except OSError:
        return False
    return True


def _answer(listener: socket.socket, doors: Doors) -> None:
    """Who does not know the word is a stranger: a scanner, a monitor."""
    with suppress(OSError):
        while True:
            caller, address = listener.accept()
            with caller, suppress(OSError):
                caller.settimeout(_WAIT_S)
                if caller.recv(len(doors.word)) == doors.word.encode():
                    doors.visitors.append(address[0])
