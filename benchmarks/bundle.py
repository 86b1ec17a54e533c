"""Building, verifying and loading a bundle against the same work by other tools, in one run on one machine.

    python -m benchmarks.bundle --gib 2 --folder /var/tmp --peers --cold

Needs three times that room on a real disk, four with `--peers`. The baseline is `cp` with OpenSSL's SHA-256 of the same
files beside it. Prints medians of the rounds, as seconds and as ratios to the baseline; each act ends with `sync`, and
rounds alternate the order. `--cold` drops the page cache before each act (root). Peers do less or more than a bundle:

    shell           tar | split into 4 GiB parts, then sha256sum of the parts: no signature, no resume
    skopeo          the loaded version's OCI layout into an archive: no parts, no signature
    restic          backup into a repository, compression off: encrypts, finds duplicates
    restic restore  out of it with --verify
    model_signing   sign alone: no copy. Needs model-signing in ~/.cache/dsdeploy-tests, see test_trust.py
"""

import argparse
import hashlib
import json
import mmap
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
MODEL_SIGNING = Path.home() / ".cache/dsdeploy-tests/model-signing/bin/model_signing"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--gib", type=int, default=2)
    asked.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--peers", action="store_true")
    asked.add_argument("--cold", action="store_true")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        bench(Path(folder), given.gib, given.rounds, given.peers, given.cold)


def bench(folder: Path, gib: int, rounds: int, peers: bool, cold: bool) -> None:
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

    def clean(path: Path) -> None:
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True) if not path.is_dir() else None

    def shell(words: str) -> Callable[[], None]:
        return lambda: subprocess.run(["bash", "-ec", words], check=True, stdout=subprocess.DEVNULL)

    told: dict[str, dict[str, int]] = {}
    acts = {"cp + openssl": baseline, "build": ours("build"), "verify": ours("verify"), "load": ours("load")}
    if peers:
        layout, parts, archive, repo = (
            site / "bundles/tiny/current/oci",
            folder / "parts",
            folder / "a.tar",
            folder / "r",
        )
        acts |= {
            "shell": shell(f"mkdir {parts}; tar c {weights} | split -b 4G - {parts}/p; sha256sum {parts}/*"),
            "skopeo": shell(f"skopeo --insecure-policy copy -q oci:{layout}:tiny-q oci-archive:{archive}"),
            "restic": shell(f"restic init -q -r {repo}; restic backup -q -r {repo} --compression off {weights}"),
            "restic restore": shell(f"restic restore -q -r {repo} --verify --target {folder}/restored latest"),
            "model_signing": shell(
                f"{MODEL_SIGNING} sign key --signature {folder}/s --private_key {folder}/k {weights}"
            ),
        }
        shell(f"openssl ecparam -name prime256v1 -genkey -noout -out {folder}/k")()
        os.environ["RESTIC_PASSWORD"] = "bench"
    leaves = {"cp + openssl": copy, "shell": folder / "parts", "skopeo": folder / "a.tar"}
    leaves |= {"restic restore": folder / "restored", "model_signing": folder / "s"}
    took: dict[str, list[float]] = {name: [] for name in acts}
    for turn in range(rounds):
        names = list(acts)
        for name in names if turn % 2 == 0 else [*names[1:], names[0]]:
            os.sync()
            if cold:
                Path("/proc/sys/vm/drop_caches").write_text("3")
            touch_memory(gib * SHARD_BYTES)
            begin = time.perf_counter()
            acts[name]()
            os.sync()
            took[name].append(time.perf_counter() - begin)
            if name in leaves:
                clean(leaves[name])
            if name == "restic restore":
                clean(folder / "r")
        size = sum(one.stat().st_blocks * 512 for one in out.iterdir())
        if turn < rounds - 1:
            shutil.rmtree(out)
        shutil.rmtree(site)
    payload = gib * SHARD_BYTES
    base = statistics.median(took["cp + openssl"])
    print(f"{gib} GiB, {rounds} rounds, {'cold' if cold else 'warm'}; on disk {size / payload:.4f} of the payload")
    for name, seconds in took.items():
        middle = statistics.median(seconds)
        line = f"{name:14} {middle:7.2f} s ({min(seconds):.2f}-{max(seconds):.2f})  {middle / base:5.2f} x"
        if name in told:
            line += f"  peak {told[name]['peak_bytes'] / 2**20:.0f} MiB"
            line += f", read {told[name]['read_bytes'] / payload:.3f} x"
        print(line)


def touch_memory(size_bytes: int) -> None:
    """A virtual machine gives free memory back to its host and pays for each page when it is used again: up to ten
    times the time of a copy, by whichever act comes first. So the pages are taken back before the clock starts."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    pages = mmap.mmap(
        -1, min(size_bytes, free * 3 // 4), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    )
    pages.close()


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
