"""How long a command takes to begin, against `python -c "import typer"` in the same run: medians of ten."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Row, add_json, report

PROGRAM = "import sys; sys.argv[1:] = {words!r}; from dsdeploy.cli.main import main; main()"
LIMITS = {"--help": 1.5, "plan": 4.0}
RUNS = 10


def median_ms(code: str, compiled: str) -> float:
    """As installed: modules are compiled once, below `compiled`, which pip does while it installs."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONPYCACHEPREFIX": compiled}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    taken = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.DEVNULL, check=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:]) * 1000


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    add_json(asked)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as compiled:
        baseline = median_ms("import typer", compiled)
        rows = [
            Row(f"dsdeploy {words}", median_ms(PROGRAM.format(words=[words]), compiled), baseline, "ms", limit)
            for words, limit in LIMITS.items()
        ]
    report(given.json, "startup", 'python -c "import typer"', rows)


if __name__ == "__main__":
    main()
