"""Building, verifying and loading a bundle against the same work by other tools, in one run on one machine.

    python -m benchmarks.bundle --sizes 2,8,20 --folder /var/tmp --json FILE

Sizes are GB of 10^9 bytes; each needs twice that room on a real disk (20 GB: 41 GB). The baseline is `cp` with
OpenSSL's SHA-256 of the same files beside it; peers (see `peers.py`) come up to `--peers-up-to` GB, as far as they are
installed.
Each act ends with `sync`; rounds alternate the order. Cold means that the page cache was dropped before each act,
which needs root; warm that what is read was read into it, where it fits. After the first size a build is killed half
way and goes on. At most `--rounds` rounds, fewer once `--minutes` are used up, never fewer than two: medians, ranges
beside. Peers take part in the first two alone: they take most of the time.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.bundle.acts import FORMAT, MODEL, SHARD_BYTES, VOLUME_BYTES, make_weights
from benchmarks.bundle.measure import Taken, Watch, remove, taken_bytes, timed, written_by
from benchmarks.bundle.peers import Peer, peers
from benchmarks.figures import Row, add_json, not_here, report, save

ROOT = Path(__file__).parents[2]
LEAST_ROUNDS = 2
BASELINE = "cp and openssl dgst"
BUILD_LIMIT, READ_LIMIT, DISK_LIMIT, MEMORY_LIMIT_MB = 1.25, 1.02, 1.02, 200.0
LOOK_S = 0.01


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--sizes", default="2", metavar="GB,GB…")
    asked.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    asked.add_argument("--rounds", type=int, default=9)
    asked.add_argument("--minutes", type=float, default=22)
    asked.add_argument("--peers-up-to", type=int, default=8, metavar="GB")
    add_json(asked)
    given = asked.parse_args()
    sizes = [int(one) for one in given.sizes.split(",")]
    free, needed = shutil.disk_usage(given.folder).free, (2 * max(sizes) + 1) * SHARD_BYTES
    if free < needed:
        not_here(f"{given.folder} has {free:,} bytes free; {max(sizes)} GB need {needed:,}")
    runs = [(size, cold) for size in sizes for cold in (False, True) if (os.geteuid() == 0 if cold else fits(size))]
    deadline = time.monotonic() + given.minutes * 60
    rows: list[Row] = []
    for number, (size, cold) in enumerate(runs):
        weight = sum(one for one, _ in runs[number:])
        until = time.monotonic() + max(0, deadline - time.monotonic()) * size / weight
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            run = Run(Path(folder), size, cold, given.peers_up_to)
            run.rounds(given.rounds, until)
            rows += run.rows()
            if number == 0:
                rows.append(run.killed())
        save(given.json, "bundle", BASELINE, rows)
    report(given.json, "bundle", BASELINE, rows)


def fits(gigabytes: int) -> bool:
    """Whether source and copy can both lie in the page cache."""
    return 2 * gigabytes * SHARD_BYTES < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * 3 // 4


class Run:
    """One size at one temperature, in a folder of its own."""

    def __init__(self, folder: Path, size: int, cold: bool, peers_up_to: int) -> None:
        self.folder, self.size, self.cold = folder, size, cold
        self.payload_bytes = size * SHARD_BYTES
        self.weights, self.out, self.site = folder / "weights", folder / "out", folder / "site"
        make_weights(folder, size)
        self.taken: dict[str, list[Taken]] = {}
        self.told: dict[str, dict[str, int]] = {}
        layout = f"{self.site}/bundles/{MODEL}/current/oci:{MODEL}-{FORMAT}"
        self.peers = peers(folder, layout) if size <= peers_up_to else ()

    def rounds(self, most: int, until: float) -> None:
        began = time.monotonic()
        for number in range(most):
            each = (time.monotonic() - began) / number if number else 0
            if number >= LEAST_ROUNDS and time.monotonic() + each > until:
                break
            turns = (self._ours, self._others) if number < LEAST_ROUNDS else (self._ours,)
            for turn in turns if number % 2 == 0 else turns[::-1]:
                turn(number)
            remove(self.site)

    def _ours(self, number: int) -> None:
        """The source goes before the load and comes back as links to what was loaded: two copies are the most."""
        if number % 2 == 0:
            self._baseline()
        self._act("build", self.out)
        self._act("verify", self.folder / "nothing")
        for shard in self.weights.glob("*.safetensors"):
            shard.unlink()
        self._act("load", self.site)
        for shard in (self.site / "weights" / MODEL / FORMAT).glob("*.safetensors"):
            os.link(shard, self.weights / shard.name)
        remove(self.out)
        if number % 2:
            self._baseline()
        for peer in self.peers:
            if peer.name == "skopeo" and number < LEAST_ROUNDS:
                self._peer(peer)

    def _others(self, _: int) -> None:
        for peer in self.peers:
            if peer.name != "skopeo":
                self._peer(peer)

    def _baseline(self) -> None:
        copy, shards = self.folder / "copy", sorted(map(str, self.weights.glob("*.safetensors")))

        def work() -> None:
            hashing = subprocess.Popen(["openssl", "dgst", "-sha256", *shards], stdout=subprocess.DEVNULL)
            subprocess.run(["cp", "-r", str(self.weights), str(copy)], check=True)
            assert hashing.wait() == 0

        self._time(BASELINE, work)
        remove(copy)

    def _act(self, act: str, makes: Path) -> None:
        def work() -> None:
            told = json.loads(subprocess.run(self._words(act), cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
            self.told[act] = {name: max(value, self.told.get(act, {}).get(name, 0)) for name, value in told.items()}

        with Watch(makes) as watch:
            self._time(act, work)
        self.told[act]["disk_bytes"] = max(watch.most_bytes, taken_bytes(makes))

    def _words(self, act: str) -> list[str]:
        return [sys.executable, "-m", "benchmarks.bundle.acts", act, str(self.folder)]

    def _peer(self, peer: Peer) -> None:
        self._time(peer.name, peer.work)
        remove(*peer.leaves)

    def _time(self, name: str, work: Callable[[], None]) -> None:
        taken = timed(work, self.folder, cold=self.cold, size_bytes=self.payload_bytes)
        self.taken.setdefault(name, []).append(taken)

    def killed(self) -> Row:
        """What a build writes again after a kill half way, beside one extent."""
        process = subprocess.Popen(self._words("build"), cwd=ROOT, stdout=subprocess.DEVNULL)
        while written_by(process) < self.payload_bytes // 2:
            time.sleep(LOOK_S)
        process.send_signal(signal.SIGSTOP)
        before = written_by(process)
        process.kill()
        process.wait()
        process = subprocess.Popen(self._words("build"), cwd=ROOT, stdout=subprocess.DEVNULL)
        after = 0
        while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            after = written_by(process)
            time.sleep(LOOK_S)
        after = max(after, written_by(process))
        assert process.wait() == 0
        again = max(0, before + after - self.payload_bytes)
        return Row("written again after a kill", again / 1e9, None, "GB", VOLUME_BYTES / 1e9, of="ours")

    def rows(self) -> list[Row]:
        at = f"{self.size} GB, {'cold' if self.cold else 'warm'}"
        self._show(at)
        middle = {name: statistics.median(one.seconds for one in many) for name, many in self.taken.items()}
        base = middle[BASELINE]
        rows = [Row(f"building, {at}", middle["build"], base, "s", BUILD_LIMIT)]
        rows += [
            Row(f"{what}, {at}", middle[act], base, "s") for act, what in (("verify", "verifying"), ("load", "loading"))
        ]
        for peer in self.peers:
            what = {"build": "building", "load": "loading"}[peer.like]
            rows.append(Row(f"{what} beside {peer.name}, {at}", middle[peer.like], middle[peer.name], "s"))
        if self.cold:
            for act, what in (("build", "building"), ("load", "loading")):
                told = self.told[act]
                disk = (told["disk_bytes"] - VOLUME_BYTES) / self.payload_bytes
                read = told["read_bytes"] / self.payload_bytes
                rows += [
                    Row(f"bytes read by {what}, of the payload, {at}", read, None, "x", READ_LIMIT, of="ours"),
                    Row(
                        f"most disk of {what} less a volume, of the payload, {at}", disk, None, "x", DISK_LIMIT, "ours"
                    ),
                    Row(f"memory of {what}, {at}", told["peak_bytes"] / 1e6, None, "MB", MEMORY_LIMIT_MB, "ours"),
                ]
        return rows

    def _show(self, at: str) -> None:
        rounds = max(map(len, self.taken.values()))
        print(f"{at}, {rounds} rounds: median seconds (range), processor seconds")
        base = statistics.median(one.seconds for one in self.taken[BASELINE])
        for name, many in self.taken.items():
            seconds = [one.seconds for one in many]
            middle, used = statistics.median(seconds), statistics.median(one.processor_s for one in many)
            said = (
                f"{name:25} {middle:7.2f} ({min(seconds):.2f}-{max(seconds):.2f}) {used:7.2f}  {middle / base:5.2f} x"
            )
            print(said, flush=True)


if __name__ == "__main__":
    main()
