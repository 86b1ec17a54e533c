"""Exits 0 when HOST PORT PATH answers 200: the health check of an image that has no shell.

It stands alone and imports little, since it runs every few seconds.
"""

import socket
import sys


def main(host: str, port: str, path: str) -> int:
    try:
        with socket.create_connection((host, int(port)), timeout=4) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            return 0 if connection.recv(16).split()[1:2] == [b"200"] else 1
    except OSError as error:
        print(error)
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
