"""How many configurations one core judges in a second, against one `json.loads` of the models in the same run."""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Row, add_json, report
from dsdeploy.core import catalogue
from dsdeploy.core.sizing.memory import estimate_memory
from dsdeploy.core.sizing.values import MemoryRequest
from dsdeploy.stages.estimate import Question, estimate

DATA = Path(catalogue.__file__).parent / "data" / "models.json"


def each_s(work: Callable[[], object], times: int) -> float:
    work()
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    add_json(asked)
    given = asked.parse_args()
    # First: later the catalogue is there already.
    began = time.perf_counter()
    catalogue.find_model("deepseek-r1")
    load_ms = (time.perf_counter() - began) * 1000
    baseline = each_s(lambda: json.loads(DATA.read_bytes()), 20)
    request = MemoryRequest(
        catalogue.architecture("deepseek-r1"), "fp8", "vllm", 141e9, count=8, tensor_parallel=8, max_model_len=32768
    )
    memory = each_s(lambda: estimate_memory(request), 2000)
    question = Question("deepseek-r1", accelerator="NVIDIA H200", count=8, max_model_len=32768, users=32)
    whole = each_s(lambda: estimate(question), 500)
    rows = (
        Row("first question to the catalogue", load_ms, baseline * 1000, "ms", 60, "ours"),
        Row("one memory estimate", memory * 1000, baseline * 1000, "ms", 0.1, "ours"),
        Row("one whole estimate", whole * 1000, baseline * 1000, "ms", 5, "ours"),
    )
    report(given.json, "estimates", "json.loads of models.json", rows)


if __name__ == "__main__":
    main()
