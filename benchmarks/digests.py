"""Digest checking against plain hashlib over the same file, and the peak memory of a whole fetch.

python -m benchmarks.digests [--rate-gb 2] [--memory-gb 20] [--folder DIR]
"""

import argparse
import hashlib
import json
import os
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Row, add_json, report
from dsdeploy.adapters.hubs.directory import Directory
from dsdeploy.core.layout import Layout
from dsdeploy.core.progress import SILENT
from dsdeploy.core.values import Request, WeightFile, Weights
from dsdeploy.stages.fetch import altered_files, fetch_weights
from dsdeploy.stages.plan import choose_plan
from dsdeploy.stages.profile import detect_profile

NAME = "DeepSeek-R1-Distill-Qwen-1.5B-Q8_0.gguf"


def plain_hashlib_s(path: Path) -> float:
    began = time.perf_counter()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(4 << 20):
            digest.update(block)
    return time.perf_counter() - began


def ours_s(path: Path) -> float:
    weights = Weights("m", "f", "directory", None, str(path.parent), (WeightFile(path.name, path.stat().st_size, ""),))
    began = time.perf_counter()
    altered_files(weights, SILENT)
    return time.perf_counter() - began


def rate(folder: Path, size_bytes: int) -> Row:
    path = folder / NAME
    with path.open("wb") as file:
        for _ in range(size_bytes >> 20):
            file.write(os.urandom(1 << 20))
    pairs = [(plain_hashlib_s(path), ours_s(path)) for _ in range(5)]
    plain, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    path.unlink()
    gb = size_bytes / 1e9
    return Row("checking digests, file in the page cache", gb / ours, gb / plain, "GB/s", 0.9, more=True)


def fetch_alone(source: Path, home: Path) -> None:
    """Runs in a process of its own, so that its peak memory is that of a fetch."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    plan = choose_plan(Request("deepseek-r1-distill-qwen-1.5b", 1, 4096), detect_profile())
    fetch_weights(plan, Layout(home), Directory(source), SILENT)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"peak": peak / 1024, "before": before / 1024}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate-gb", type=float, default=2)
    parser.add_argument("--memory-gb", type=float, default=20)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--fetch", nargs=2, type=Path, help=argparse.SUPPRESS)
    add_json(parser)
    asked = parser.parse_args()
    if asked.fetch:
        fetch_alone(*asked.fetch)
        return
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name)
        rows = [rate(folder, int(asked.rate_gb * 1e9))]
        sparse = folder / NAME
        with sparse.open("wb") as file:
            file.write(b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
            file.truncate(int(asked.memory_gb * 1e9))
        words = [sys.executable, "-m", "benchmarks.digests", "--fetch", str(folder), str(folder / "home")]
        mib = json.loads(subprocess.check_output(words, text=True))
    rows.append(
        Row("peak memory of a fetch, beside the program before it", mib["peak"], mib["before"], "MiB", 143, "ours")
    )
    report(asked.json, "digests", "hashlib", rows)


if __name__ == "__main__":
    main()
