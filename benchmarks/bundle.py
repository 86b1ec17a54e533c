"""Building and loading a bundle against `cp` and OpenSSL's SHA-256 of the same files, in one run.

    python -m benchmarks.bundle --gib 2 --folder /var/tmp

Needs three times that room on a real disk. Prints medians of the rounds, as seconds and as ratios to the baseline
`cp` + `openssl dgst` one after the other; both ends are flushed with `sync`. Rounds alternate the order.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SHARD_BYTES = 1 << 30


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--gib", type=int, default=2)
    asked.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    asked.add_argument("--rounds", type=int, default=3)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        bench(Path(folder), given.gib, given.rounds)


def bench(folder: Path, gib: int, rounds: int) -> None:
    weights = folder / "weights"
    weights.mkdir()
    shards = []
    for number in range(gib):
        path = weights / f"tiny-{number}.safetensors"
        with path.open("wb") as file:
            for _ in range(SHARD_BYTES >> 24):
                file.write(os.urandom(1 << 24))
        shards.append(path)
    known = [
        {
            "name": one.name,
            "size_bytes": SHARD_BYTES,
            "sha256": hashlib.file_digest(one.open("rb"), "sha256").hexdigest(),
        }
        for one in shards
    ]
    stated = {"model_id": "tiny", "format": "q", "source": "directory", "revision": None, "directory": str(weights)}
    document = {"apiVersion": "dsdeploy/v1", "kind": "Weights", **stated, "files": known}
    (weights / "weights.json").write_text(json.dumps(document))
    (folder / "plan.yaml").write_text("a plan\n")
    out, copy, site = folder / "out", folder / "copy", folder / "site"

    def baseline() -> None:
        shutil.rmtree(copy, ignore_errors=True)
        hashing = subprocess.Popen(["openssl", "dgst", "-sha256", *map(str, shards)], stdout=subprocess.DEVNULL)
        subprocess.run(["cp", "-r", str(weights), str(copy)], check=True)
        assert hashing.wait() == 0

    def ours(act: str) -> Callable[[], None]:
        def work() -> None:
            shutil.rmtree(out if act == "build" else site, ignore_errors=True)
            child = subprocess.run([sys.executable, __file__, act, str(folder)], stdout=subprocess.PIPE, check=True)
            told[act] = json.loads(child.stdout)

        return work

    told: dict[str, dict[str, int]] = {}
    acts = {"cp + openssl": baseline, "build": ours("build"), "verify": ours("verify"), "load": ours("load")}
    took: dict[str, list[float]] = {name: [] for name in acts}
    for turn in range(rounds):
        names = list(acts) if turn % 2 == 0 else ["build", "verify", "load", "cp + openssl"]
        for name in names:
            os.sync()
            begin = time.perf_counter()
            acts[name]()
            os.sync()
            took[name].append(time.perf_counter() - begin)
            if name == "cp + openssl":
                shutil.rmtree(copy)
        size = sum(one.stat().st_blocks * 512 for one in out.iterdir())
        if turn < rounds - 1:
            shutil.rmtree(out)
        shutil.rmtree(site)
    payload = gib * SHARD_BYTES
    base = statistics.median(took["cp + openssl"])
    print(f"{gib} GiB, {rounds} rounds; bundle on disk {size / payload:.4f} of the payload")
    for name, seconds in took.items():
        middle = statistics.median(seconds)
        line = f"{name:14} {middle:7.2f} s ({min(seconds):.2f}-{max(seconds):.2f})  {middle / base:5.2f} x"
        if name in told:
            line += (
                f"  peak {told[name]['peak_bytes'] / 2**20:.0f} MiB, read {told[name]['read_bytes'] / payload:.3f} x"
            )
        print(line)


def act(what: str, folder: Path) -> None:
    """One act in a process of its own; prints its peak memory and the bytes that it asked the kernel for."""
    from dsdeploy.core.layout import Layout
    from dsdeploy.core.progress import SILENT
    from dsdeploy.stages.bundle.create import Order, create
    from dsdeploy.stages.bundle.gather import gather
    from dsdeploy.stages.bundle.load import Consent, load
    from dsdeploy.stages.bundle.verify import verify

    before = read_bytes()
    if what == "build":
        order = Order(folder / "out", "tiny", (), "1000000000", sequence=1, allow_unsigned=True)
        create(order, gather(folder / "plan.yaml", (folder / "weights",), (), (), None), {}, SILENT)
    elif what == "verify":
        verify((folder / "out",), (), True, SILENT)
    else:
        load((folder / "out",), Layout(folder / "site"), (), Consent(unsigned=True), SILENT)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"peak_bytes": peak, "read_bytes": read_bytes() - before}))


def read_bytes() -> int:
    return int(Path("/proc/self/io").read_text().split()[1])


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in ("build", "verify", "load"):
        act(sys.argv[1], Path(sys.argv[2]))
    else:
        main()
