"""Answers A questions over UDP from a file of "address name" lines, read anew for each. Standard library only."""

import socket
import struct
import sys


def main(path: str) -> None:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("0.0.0.0", 53))
    while True:
        asked, client = server.recvfrom(4096)
        server.sendto(answer(asked, path), client)


def answer(asked: bytes, path: str) -> bytes:
    words, at = [], 12
    while asked[at]:
        words.append(asked[at + 1 : at + 1 + asked[at]].decode().lower())
        at += asked[at] + 1
    question, (kind,) = asked[12 : at + 5], struct.unpack(">H", asked[at + 1 : at + 3])
    with open(path) as file:
        known = [line.split() for line in file]
    found = [address for address, name in known if name == ".".join(words)]
    shown = found if kind == 1 else []
    flags = 0x8580 if found else 0x8583  # an authoritative answer, or no such name
    records = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + socket.inet_aton(one) for one in shown)
    return asked[:2] + struct.pack(">HHHHH", flags, 1, len(shown), 0, 0) + question + records


if __name__ == "__main__":
    main(sys.argv[1])
