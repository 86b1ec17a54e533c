"""Where this machine can be reached from outside, and a listener there that hears who comes."""

import re
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
    """Sockets that listen: `places` are address and port, `visitors` addresses that came to them."""

    places: tuple[tuple[str, int], ...]
    visitors: list[str] = field(default_factory=list)


def outward_addresses() -> tuple[str, ...]:
    """IPv4 addresses of interfaces that are up and lead out of this machine."""
    up = {name for name, one in psutil.net_if_stats().items() if one.isup and not _CONTAINERS_OWN.fullmatch(name)}
    return tuple(
        one.address
        for name, addresses in sorted(psutil.net_if_addrs().items())
        for one in addresses
        if name in up and one.family == socket.AF_INET and not one.address.startswith(("127.", "169.254."))
    )


@contextmanager
def open_doors(addresses: tuple[str, ...]) -> Iterator[Doors]:
    """One listener an address, on a port of the system's choice. Those that this machine itself cannot reach are left
    out: they would prove nothing."""
    listeners = []
    for address in addresses:
        with suppress(OSError):
            listeners.append(socket.create_server((address, 0)))
    try:
        doors = Doors(tuple(one.getsockname() for one in listeners if _is_reached(one)))
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
        with socket.create_connection(listener.getsockname(), _WAIT_S):
            listener.accept()[0].close()
    except OSError:
        return False
    return True


def _answer(listener: socket.socket, doors: Doors) -> None:
    with suppress(OSError):
        while True:
            caller, (address, _) = listener.accept()
            caller.close()
            doors.visitors.append(address)
