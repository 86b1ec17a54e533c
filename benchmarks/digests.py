"""Digest checking against plain hashlib over the same file, and the peak memory of a whole fetch.

python benchmarks/digests.py [--rate-gb 2] [--memory-gb 20] [--folder DIR]
"""

import argparse
import hashlib
import os
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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


def rate(folder: Path, size_bytes: int) -> None:
    path = folder / NAME
    with path.open("wb") as file:
        for _ in range(size_bytes >> 20):
            file.write(os.urandom(1 << 20))
    pairs = [(plain_hashlib_s(path), ours_s(path)) for _ in range(5)]
    plain, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"digests of {size_bytes / 1e9:.1f} GB, warm: hashlib {size_bytes / plain / 1e9:.2f} GB/s, "
        f"ours {size_bytes / ours / 1e9:.2f} GB/s, {plain / ours:.2f} x, to reach 0.9 x"
    )
    path.unlink()


def fetch_alone(source: Path, home: Path) -> None:
    """Runs in a process of its own, so that its peak memory is that of a fetch."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    plan = choose_plan(Request("deepseek-r1-distill-qwen-1.5b", 1, 4096), detect_profile())
    fetch_weights(plan, Layout(home), Directory(source), SILENT)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = (source / NAME).stat().st_size
    print(f"fetch of {size / 1e9:.1f} GB: peak {peak / 1024:.0f} MiB ({before / 1024:.0f} before), to stay under 143")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate-gb", type=float, default=2)
    parser.add_argument("--memory-gb", type=float, default=20)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--fetch", nargs=2, type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.fetch:
        fetch_alone(*asked.fetch)
        sys.exit()
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name)
        rate(folder, int(asked.rate_gb * 1e9))
        sparse = folder / NAME
        with sparse.open("wb") as file:
            file.write(b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
            file.truncate(int(asked.memory_gb * 1e9))
        subprocess.run([sys.executable, __file__, "--fetch", str(folder), str(folder / "home")], check=True)
