"""What planning costs, each ratio from one run; processor time of whole processes, which a busy machine changes least.

A plan for one node of eight accelerators against importing typer, and against `llmfit plan` for one model where that is
installed (`pip install llmfit`; LLMFIT names it elsewhere); a plan for 1,000 nodes of 40 kinds against one for 40
nodes, both read from a fleet file; and the memory of the largest.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path

from benchmarks.figures import Row, add_json, report
from dsdeploy.core.fleet import Fleet, Machine
from dsdeploy.core.machines import Accelerator, Disk, Link, Profile
from dsdeploy.stages.profile import save_profile

ROOT = Path(__file__).parents[1]
GIB = 1 << 30
RUNS = 7
BOUGHT = ("plan", "--accelerator", "NVIDIA H20", "--count", "8")
MODELS = ("NVIDIA H20", "NVIDIA H100 80GB HBM3", "NVIDIA H200", "NVIDIA A100-SXM4-80GB", "NVIDIA L40S", "NVIDIA L20",
          "NVIDIA A800-SXM4-80GB", "NVIDIA H800", "NVIDIA GeForce RTX 4090", "Tesla T4")  # fmt: skip
MEMORY_GIB = (95.6, 79.6, 140.4, 80.0, 45.0, 45.0, 80.0, 79.6, 24.0, 15.0)
LIMIT_S, LIMIT_LLMFIT, LIMIT_FLEET, LIMIT_MIB = 0.5, 2.0, 3.0, 200


def program(*words: str) -> list[str]:
    return [sys.executable, "-c", f"import sys; sys.argv[1:] = {words!r}; from dsdeploy.cli.main import main; main()"]


def processor_s(command: list[str]) -> tuple[float, float]:
    """Median of user and system time, and the largest resident memory in MiB."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = str(ROOT)
    taken, most_kib = [], 0
    for _ in range(RUNS + 1):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"{command} failed")
        process.returncode = 0
        taken.append(used.ru_utime + used.ru_stime)
        most_kib = max(most_kib, used.ru_maxrss)
    return statistics.median(taken[1:]), most_kib / 1024


def kinds() -> Iterator[Profile]:
    """Forty: each accelerator four or eight times, beside little or much host memory."""
    for (name, memory), count, host in product(zip(MODELS, MEMORY_GIB, strict=True), (8, 4), (512, 1024)):
        devices = tuple(
            Accelerator("nvidia", name, index, int(memory * GIB), 0, "580.95.05", "13.0") for index in range(count)
        )
        links = tuple(Link(a, b, "NV18", "direct") for a in range(count) for b in range(a + 1, count))
        disk = Disk("/", "ext4", 8000 * GIB, 8000 * GIB)
        yield Profile(name, "Linux", None, 128, 64, 2, host * GIB, host * GIB, (disk,), (), devices, links)


def write_fleet(path: Path, nodes: int) -> None:
    found = list(islice(kinds(), 40))
    save_profile(Fleet(tuple(Machine(f"node-{index:04}", found[index % 40]) for index in range(nodes))), path)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    add_json(asked)
    given = asked.parse_args()
    typer, _ = processor_s([sys.executable, "-c", "import typer"])
    one, memory = processor_s(program(*BOUGHT))
    rows = [
        Row("a plan for one node of eight", one, typer, "s", LIMIT_S, "ours"),
        Row("memory of that plan", memory, None, "MiB", LIMIT_MIB, "ours"),
    ]
    if llmfit := os.environ.get("LLMFIT") or shutil.which("llmfit"):
        other, _ = processor_s([llmfit, "plan", "deepseek-ai/DeepSeek-R1", "--context", "4096", "--json"])
        named, _ = processor_s(program(*BOUGHT, "--model", "deepseek-r1"))
        rows.append(Row("a plan for one model, beside llmfit plan", named, other, "s", LIMIT_LLMFIT))
    with tempfile.TemporaryDirectory() as folder:
        times = {}
        for nodes in (40, 1000):
            path = Path(folder) / f"{nodes}.json"
            write_fleet(path, nodes)
            times[nodes], memory = processor_s(program("plan", "--hardware", str(path), "--users", "64"))
    rows.append(Row("1,000 nodes of 40 kinds, beside 40 nodes", times[1000], times[40], "s", LIMIT_FLEET))
    rows.append(Row("memory of 1,000 nodes", memory, None, "MiB", LIMIT_MIB, "ours"))
    report(given.json, "plan", 'python -c "import typer"', rows)


if __name__ == "__main__":
    main()
