"""How long a command takes to begin, against `python -c "import typer"` in the same run: median and range of ten."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = "import sys; sys.argv[1:] = {words!r}; from dsdeploy.cli.main import main; main()"
LIMITS = {"--help": 1.5, "plan": 4.0}
RUNS = 10


def times_s(code: str) -> list[float]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    taken = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.DEVNULL, check=True)
        taken.append(time.perf_counter() - began)
    return taken[1:]


if __name__ == "__main__":
    baseline = statistics.median(times_s("import typer"))
    print(f'python -c "import typer": {baseline * 1000:.0f} ms')
    for words, limit in LIMITS.items():
        taken = times_s(PROGRAM.format(words=[words]))
        median = statistics.median(taken)
        spread = f"{min(taken) * 1000:.0f}-{max(taken) * 1000:.0f}"
        print(f"dsdeploy {words}: {median * 1000:.0f} ms ({spread}), {median / baseline:.2f} x, to reach {limit} x")
