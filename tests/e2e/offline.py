"""Runs the program where there is no network but loopback: `python -m tests.e2e.offline FILE` under `unshare -n`.

FILE is JSON: a list of commands, each a list of words. Prints what each said, one JSON document a line.
"""

import array
import fcntl
import json
import socket
import struct
import sys
from pathlib import Path

from tests.program import run

_SIOCSIFFLAGS = 0x8914
_UP_AND_RUNNING = 0x41


def raise_loopback() -> None:
    with socket.socket() as any_socket:
        flags = array.array("b", struct.pack("16sH14x", b"lo", _UP_AND_RUNNING))
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, flags)


if __name__ == "__main__":
    raise_loopback()
    for words in json.loads(Path(sys.argv[1]).read_text()):
        print(run(*words, "--json").stdout.strip(), flush=True)
