"""How many configurations one core judges in a second, against one `json.loads` of the models in the same run."""

import time
from pathlib import Path

from dsdeploy.core import catalogue
from dsdeploy.core.sizing.memory import estimate_memory
from dsdeploy.core.sizing.values import MemoryRequest
from dsdeploy.stages.estimate import Question, estimate

DATA = Path(catalogue.__file__).parent / "data" / "models.json"


def each_s(work, times: int) -> float:
    work()
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times


if __name__ == "__main__":
    began = time.perf_counter()
    catalogue.find_model("deepseek-r1")
    load_s = time.perf_counter() - began
    baseline = each_s(lambda: catalogue.json.loads(DATA.read_bytes()), 20)
    request = MemoryRequest(
        catalogue.architecture("deepseek-r1"), "fp8", "vllm", 141e9, count=8, tensor_parallel=8, max_model_len=32768
    )
    memory = each_s(lambda: estimate_memory(request), 2000)
    question = Question("deepseek-r1", accelerator="NVIDIA H200", count=8, max_model_len=32768, users=32)
    whole = each_s(lambda: estimate(question), 500)
    print(f"json.loads of the models: {baseline * 1e3:.2f} ms")
    print(f"catalogue load: {load_s * 1e3:.1f} ms, {load_s / baseline:.1f} x, to reach 60 ms")
    print(f"memory: {1 / memory:,.0f} a second, {memory / baseline:.4f} x, to reach 10,000 a second")
    print(f"whole estimate: {whole * 1e3:.2f} ms, {whole / baseline:.2f} x, to reach 5 ms")
