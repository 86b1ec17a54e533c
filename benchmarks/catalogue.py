"""How long the whole catalogue takes to load, against reading the same files as plain JSON in the same run.

    python benchmarks/catalogue.py

Each figure is the median of fresh processes, imports included; the aim is 60 ms.
"""

import statistics
import subprocess
import sys
from pathlib import Path

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


def median_s(work: str, runs: int = 15) -> float:
    command = [sys.executable, "-c", TIMED.format(work=work)]
    return statistics.median(float(subprocess.check_output(command)) for _ in range(runs))


if __name__ == "__main__":
    plain_s, whole_s = median_s(PLAIN), median_s(WHOLE)
    print(f"plain JSON {plain_s * 1e3:.1f} ms, catalogue {whole_s * 1e3:.1f} ms, ratio {whole_s / plain_s:.1f}")
