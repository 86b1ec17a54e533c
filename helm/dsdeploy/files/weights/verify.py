"""Holds every weight file against its manifest before the engine may start: sizes always, SHA-256 by the policy.

verify.py POLICY SAMPLE_BYTES MANIFEST FOLDER. A manifest line is "sha256 size name". Ends 0, or 1 with the file's name.
"""

import hashlib
import json
import os
import random
import sys
import time

STAMP = ".dsdeploy-verified"


def read_manifest(path):
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split(" ", 2) for line in file if line.strip()]
    return [(name, int(size), sha256) for sha256, size, name in rows]


def digest(path):
    hasher = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(1 << 22):
            hasher.update(piece)
    return hasher.hexdigest()


def seen(folder, files):
    """What a stamp remembers: the manifest, and each file's size and time of change."""
    state = [
        [name, sha256, os.stat(f"{folder}/{name}").st_size, os.stat(f"{folder}/{name}").st_mtime_ns]
        for name, _, sha256 in files
    ]
    return json.dumps(state, separators=(",", ":"))


def stamped(folder, state):
    try:
        with open(f"{folder}/{STAMP}", encoding="utf-8") as file:
            return file.read() == state
    except OSError:
        return False


def write_stamp(folder, state):
    part = f"{folder}/{STAMP}.{os.getpid()}-{time.time_ns()}"
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.write(state)
        os.replace(part, f"{folder}/{STAMP}")
    except OSError as error:
        print(f"no stamp could be written ({error.strerror}): the next start hashes everything again", flush=True)


def drawn(files, sample_bytes):
    left, chosen = sample_bytes, []
    for one in random.SystemRandom().sample(files, len(files)):
        if not chosen or one[1] <= left:
            chosen.append(one)
            left -= one[1]
    return chosen


def main(policy, sample_bytes, manifest, folder):
    files = read_manifest(manifest)
    for name, size, _ in files:
        try:
            found = os.stat(f"{folder}/{name}").st_size
        except OSError as error:
            sys.exit(f"{name}: {error.strerror}")
        if found != size:
            sys.exit(f"{name}: {found} bytes instead of {size}")
    state = seen(folder, files)
    if policy == "stamp" and stamped(folder, state):
        print(f"{len(files)} files are unchanged since they were verified", flush=True)
        return
    chosen = drawn(files, sample_bytes) if policy == "sample" else files
    begun, done = time.monotonic(), 0
    for number, (name, size, sha256) in enumerate(chosen, 1):
        if digest(f"{folder}/{name}") != sha256:
            sys.exit(f"{name}: SHA-256 differs from the manifest")
        done += size
        rate = done / 1e9 / max(time.monotonic() - begun, 1e-9)
        print(f"{number}/{len(chosen)} {name} verified, {rate:.2f} GB/s", flush=True)
    if seen(folder, files) != state:
        sys.exit("the weights changed while they were verified")
    if policy == "stamp":
        write_stamp(folder, state)


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4])
    except OSError as problem:
        sys.exit(f"{problem.filename}: {problem.strerror}")
