"""How long the whole catalogue takes to load, against reading the same files as plain JSON in the same run.

Each figure is the median of fresh processes, imports included.
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.figures import Row, add_json, report

LIMIT_MS = 60
DATA = Path(__file__).parents[1] / "dsdeploy" / "core" / "data"
TIMED = "import time; start = time.perf_counter()\n{work}\nprint(time.perf_counter() - start)"
PLAIN = f"import json, pathlib; [json.loads(path.read_text()) for path in pathlib.Path({str(DATA)!r}).glob('*.json')]"
WHOLE = """
from dsdeploy.core import catalogue
from dsdeploy.core.accelerators import find_accelerator
for model in catalogue.models():
    catalogue.variants(model["id"])
    if model["architecture"]:
        catalogue.architecture(model)
find_accelerator("NVIDIA H200")
catalogue.find_model("unsloth/DeepSeek-R1-GGUF")
"""


def median_ms(work: str, runs: int = 15) -> float:
    command = [sys.executable, "-c", TIMED.format(work=work)]
    return statistics.median(float(subprocess.check_output(command)) for _ in range(runs)) * 1000


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    add_json(asked)
    given = asked.parse_args()
    row = Row("loading the whole catalogue", median_ms(WHOLE), median_ms(PLAIN), "ms", LIMIT_MS, "ours")
    report(given.json, "catalogue", "json.loads of the same files", (row,))


if __name__ == "__main__":
    main()
