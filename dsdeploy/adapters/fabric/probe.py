"""One end of a measured path, run on a machine of the service by its own Python 3.7 or newer; nothing is left there.

`receive` prints its port and answers one sender; `send` prints one line of JSON. An alarm ends either.
"""

from __future__ import annotations

import fcntl
import json
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

TRIPS = 200
CONNECT_S = 5
CHUNK = bytes(1 << 18)
UDP_WAIT_S, UDP_TRIES = 0.25, 2
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PROBE = 10, 23, 3  # linux/in.h, linux/in6.h: no fragments, no remembered path MTU
SIOCGIFADDR = 0x8915
LARGEST_UDP = 65507
SMALLEST = 548  # what every IPv4 host takes: 576 bytes less its headers


def receive(address: str, token: bytes, seconds: int) -> None:
    signal.alarm(seconds)
    family, place = resolve(address, 0)
    if place[0].startswith("127.") and place[0] != address:
        place = ("", 0)  # Debian's /etc/hosts has a machine's own name at 127.0.1.1, where no other machine comes
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind(place)
    listener.listen(4)
    there = listener.getsockname()
    datagrams = socket.socket(family, socket.SOCK_DGRAM)
    datagrams.bind(there)
    threading.Thread(target=answer_datagrams, args=(datagrams, token), daemon=True).start()
    print(f"port {there[1]}", flush=True)
    while True:
        caller, _ = listener.accept()
        caller.settimeout(seconds)
        if exactly(caller, len(token)) == token:
            break
        caller.close()  # somebody else's scan
    caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        mark = exactly(caller, 1)
        if mark != b"e":
            break
        caller.sendall(mark)
    total, began = 0, time.time()
    while True:
        piece = caller.recv(1 << 20)
        if not piece:
            break
        total += len(piece)
    told = {"bytes": total, "seconds": time.time() - began, "speed": interface(caller.getsockname()[0])[1]}
    caller.sendall(json.dumps(told).encode())
    caller.shutdown(socket.SHUT_WR)
    time.sleep(seconds)  # datagrams come after the stream; the sender's end, or the alarm, ends this


def send(address: str, port: int, token: bytes, stream_s: float, seconds: int) -> None:
    signal.alarm(seconds)
    family, place = resolve(address, port)
    stream = socket.socket(family, socket.SOCK_STREAM)
    stream.settimeout(CONNECT_S)
    stream.connect(place)
    stream.settimeout(seconds)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream.sendall(token)
    trips = []
    for _ in range(TRIPS):
        began = time.time()
        stream.sendall(b"e")
        exactly(stream, 1)
        trips.append(time.time() - began)
    trips.sort()
    stream.sendall(b"s")
    end = time.time() + stream_s
    while time.time() < end:
        stream.sendall(CHUNK)
    stream.shutdown(socket.SHUT_WR)
    told = json.loads(b"".join(iter(lambda: stream.recv(65536), b"")).decode())
    mtu, speed = interface(stream.getsockname()[0])
    speeds = [one for one in (speed, told["speed"]) if one]
    print(
        json.dumps(
            {
                "round_trip_s": trips[len(trips) // 2],
                "quick_round_trip_s": trips[len(trips) // 10],
                "bits_per_s": 8 * told["bytes"] / max(told["seconds"], 1e-6),
                "link_bits_per_s": min(speeds) if speeds else None,
                "interface_mtu_bytes": mtu,
                "mtu_bytes": path_mtu(family, place, token, mtu) if mtu else None,
            }
        ),
        flush=True,
    )


def answer_datagrams(datagrams: socket.socket, token: bytes) -> None:
    while True:
        said, caller = datagrams.recvfrom(1 << 16)
        if said.startswith(token):
            datagrams.sendto(token + struct.pack("!I", len(said)), caller)


def path_mtu(family: int, place: Any, token: bytes, interface_mtu: int) -> int | None:
    """The largest packet that arrives unbroken, by halving; None where not even the smallest is answered."""
    headers = 48 if family == socket.AF_INET6 else 28
    asking = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        asking.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PROBE)
    else:
        asking.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PROBE)
    asking.settimeout(UDP_WAIT_S)
    asking.connect(place)

    def arrives(size: int) -> bool:
        for _ in range(UDP_TRIES):
            try:
                asking.send(token + bytes(size - len(token)))
                while True:
                    told = asking.recv(1 << 16)
                    if told == token + struct.pack("!I", size):
                        return True
            except (TimeoutError, OSError):
                continue
        return False

    most = min(interface_mtu - headers, LARGEST_UDP)
    if arrives(most):
        return most + headers
    if not arrives(SMALLEST):
        return None
    least = SMALLEST
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if arrives(middle) else (least, middle)
    return least + headers


def interface(address: str) -> tuple[int | None, int | None]:
    """MTU in bytes and speed in bits a second of the interface with this address; None is what it does not tell."""
    for name, one in (*addresses4(), *addresses6()):
        if one == address.partition("%")[0]:
            mtu, speed = read(name, "mtu"), read(name, "speed")
            return mtu, speed * 1000000 if speed and speed > 0 else None
    return None, None


def addresses4() -> Iterator[tuple[str, str]]:
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for _, name in socket.if_nameindex():
        try:
            found = fcntl.ioctl(asking, SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
        except OSError:
            continue
        yield name, socket.inet_ntoa(found[20:24])


def addresses6() -> Iterator[tuple[str, str]]:
    """The kernel's own list: address in hexadecimal first, interface last."""
    try:
        with open("/proc/net/if_inet6") as file:
            rows = [line.split() for line in file]
    except OSError:
        return
    for row in rows:
        yield row[-1], socket.inet_ntop(socket.AF_INET6, bytes.fromhex(row[0]))


def read(name: str, fact: str) -> int | None:
    try:
        with open(f"/sys/class/net/{name}/{fact}") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def resolve(address: str, port: int) -> tuple[int, Any]:
    family, _, _, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    return family, place


def exactly(stream: socket.socket, size: int) -> bytes:
    said = b""
    while len(said) < size:
        piece = stream.recv(size - len(said))
        if not piece:
            raise EOFError("the other end went away")
        said += piece
    return said


def main(role: str, *arguments: Any) -> None:
    roles: dict[str, Callable[..., None]] = {"receive": receive, "send": send}
    try:
        roles[role](*arguments)
    except (OSError, EOFError, ValueError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.exit(1)
