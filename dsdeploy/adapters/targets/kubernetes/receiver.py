"""Runs in the loader pod, by the engine image's Python and its standard library alone: looks, takes files, drops one.

receiver.py look FOLDER        prints the bytes held of each file, whole or in part, and the free room, as JSON
receiver.py take FILE SIZE     appends standard input to FILE.part until it is SIZE bytes long, then gives it its name
receiver.py drop FILE          a file that does not match its digest, and the stamp, so that the next run sends it again
"""

import json
import os
import sys

PART = ".part"
STAMP = ".dsdeploy-verified"
_PIECE_BYTES = 1 << 20


def look(folder: str) -> None:
    held, parts = {}, {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            known, relative = os.path.getsize(path), os.path.relpath(path, folder)
            if name.endswith(PART):
                parts[relative.removesuffix(PART)] = known
            else:
                held[relative] = known
    room = folder
    while not os.path.exists(room):
        room = os.path.dirname(room)
    disk = os.statvfs(room)
    print(json.dumps({"held": held, "parts": parts, "free": disk.f_bavail * disk.f_frsize}))


def take(path: str, size: int) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + PART, "ab") as file:
        if file.tell() > size:
            file.truncate(0)
            file.seek(0)
        while left := size - file.tell():
            piece = os.read(sys.stdin.fileno(), min(left, _PIECE_BYTES))
            if not piece:
                sys.exit(f"{path}: cut off with {left} bytes left")
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + PART, path)


def drop(path: str) -> None:
    for one in (path, os.path.join(os.path.dirname(path), STAMP)):
        if os.path.exists(one):
            os.remove(one)


if __name__ == "__main__":
    try:
        if sys.argv[1] == "look":
            look(sys.argv[2])
        elif sys.argv[1] == "take":
            take(sys.argv[2], int(sys.argv[3]))
        else:
            drop(sys.argv[2])
    except OSError as problem:
        sys.exit(f"{problem.filename or sys.argv[2]}: {problem.strerror}")
