"""Predicted against logged speed: `python -m tests.truth.throughput` prints every row; `throughput_aside.toml` says
what is left out.

A row says how its benchmark was run; `replay` runs the same one against the model: all prompts at once, or a fixed
number of users.
"""

import heapq
import json
import math
import re
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from dsdeploy.core.accelerators import find_accelerator
from dsdeploy.core.architecture import Architecture, from_config
from dsdeploy.core.catalogue import find_model
from dsdeploy.core.sizing.speed import BF16, ServingSpeed, SpeedRequest, TensorFormat, WeightFormats, predict_speed
from dsdeploy.core.sizing.speed.clock import LEVELS
from dsdeploy.core.sizing.speed.shape import head_dim, shape_of

HERE = Path(__file__).parent
_FP8, _INT4 = TensorFormat(8 + 32 / 128**2, "fp8"), TensorFormat(4 + 20 / 128, "bf16")
_INT8, _Q8_0 = TensorFormat(8, "int8"), TensorFormat(8.5, "bf16")
_NVFP4, _Q4_K_M = TensorFormat(4.5, "fp4"), TensorFormat(4.85, "bf16")
FORMATS = {
    "bf16": WeightFormats(BF16, BF16, BF16),
    "fp8": WeightFormats(_FP8, _FP8, _FP8),
    "awq-int4": WeightFormats(_INT4, _INT4, _INT4),
    # nvidia/DeepSeek-R1-0528-FP4: attention stays in bf16.
    "nvfp4": WeightFormats(BF16, _NVFP4, _NVFP4),
    "w8a8-int8": WeightFormats(_INT8, _INT8, _INT8),
    "gguf-Q8_0": WeightFormats(_Q8_0, _Q8_0, _Q8_0, _Q8_0),
    "gguf-Q4_K_M": WeightFormats(_Q4_K_M, _Q4_K_M, _Q4_K_M, TensorFormat(6.56, "bf16")),
}
# Repositories of quantised weights, and names in older reports, by the model whose shape they have.
_SAME_SHAPE = {
    "DeepSeek-R1-0528-AWQ": "deepseek-ai/DeepSeek-R1-0528",
    "nvidia/DeepSeek-R1-0528-FP4": "deepseek-ai/DeepSeek-R1-0528",
    "cognitivecomputations/DeepSeek-V3-AWQ": "deepseek-ai/DeepSeek-V3",
    "DeepSeek-V3 Q4_K_M": "deepseek-ai/DeepSeek-V3",
}
# Eight DDR5-4800 channels on one socket of a Xeon Gold 6454S (Intel ARK).
_XEON_6454S_GB_PER_S = 307.2
_ACCELERATORS = {"H100": "h100-sxm5-80gb", "H100 SXM5": "h100-sxm5-80gb", "H200 NVL": "h200-nvl-141gb"}


@dataclass(frozen=True, slots=True)
class Compared:
    id: str
    metric: str
    logged: float
    low: float
    expected: float
    high: float

    @property
    def error(self) -> float:
        return self.expected / self.logged - 1

    @property
    def within(self) -> bool:
        return self.low <= self.logged <= self.high


def rows() -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = json.loads((HERE / "throughput.json").read_text(encoding="utf-8"))
    return content


@cache
def aside() -> dict[str, str]:
    content = tomllib.loads((HERE / "throughput_aside.toml").read_text(encoding="utf-8"))
    return {id: group["reason"] for group in content["group"] for id in group["ids"]}


def judged() -> list[Compared]:
    return [compare(row) for row in rows() if row["id"] not in aside()]


def published() -> list[Compared]:
    """Public figures outside the judged rows; what their sources leave open is in `assumed`."""
    content = json.loads((HERE / "throughput_published.json").read_text(encoding="utf-8"))
    return [_compare_published(row | row["assumed"]) for row in content]


def _compare_published(row: dict[str, Any]) -> Compared:
    request = replace(
        request_of(row),
        concurrency=row["concurrency"],
        internode_bytes_per_s=row.get("internode_gb_per_s", 0) * 1e9 or None,
        max_num_batched_tokens=row.get("max_num_batched_tokens"),
        two_batch_overlap=row.get("two_batch_overlap", False),
    )
    (name, logged), speed = next(iter(row["observed"].items())), predict_speed(request)
    bands = {
        "decode_tok_s_total": speed.decode_tokens_per_s_total,
        "output_tok_s_total": speed.output_tokens_per_s_total,
        "prefill_tok_s_total": speed.prefill_tokens_per_s,
    }
    band = bands[name]
    assert band is not None
    return Compared(row["id"], name.split("_")[0], logged, band.low, band.expected, band.high)


def compare(row: dict[str, Any]) -> Compared:
    seen, request = row["observed"], request_of(row)
    if request.concurrency == 1 and (per_user := seen.get("per_user_tok_s") or _per_second(seen.get("mean_tpot_ms"))):
        band = predict_speed(request).decode_tokens_per_s_per_user
        return Compared(row["id"], "per user", per_user, band.low, band.expected, band.high)
    total = seen["output_tok_s_total"]
    if row.get("num_prompts"):
        low, expected, high = (replay(row, request, level) for level in range(len(LEVELS)))
        return Compared(row["id"], "total, replayed", total, low, expected, high)
    speed = predict_speed(request)
    peak = "peak" in (row["notes"] or "")
    served = speed.decode_tokens_per_s_total if peak else speed.output_tokens_per_s_total
    assert served is not None
    return Compared(row["id"], "total, peak" if peak else "total", total, served.low, served.expected, served.high)


def _per_second(milliseconds: float | None) -> float | None:
    return 1000 / milliseconds if milliseconds else None


def architecture_of(model: str) -> Architecture:
    if model.startswith("Qwen/"):
        qwen = json.loads((HERE / "qwen3.json").read_text(encoding="utf-8"))
        return from_config(qwen[re.sub("-(FP8|AWQ)$", "", model)])
    return from_config(find_model(_SAME_SHAPE.get(model, model))["architecture"])


def request_of(row: dict[str, Any]) -> SpeedRequest:
    """The configuration of a row; SGLang's `--dp-size` with DP attention divides `--tp-size`."""
    ranks = row.get("tp") or row.get("n_gpus") or 1
    dp = row.get("dp") or 1
    flags = row.get("flags") or ""
    shared = row["engine"] == "sglang" and dp > 1
    on_host = row["n_gpus"] == 0
    request = SpeedRequest(
        architecture=architecture_of(row["model"]),
        weights=FORMATS[row["weight_format"]],
        accelerator=None if on_host else find_accelerator(_ACCELERATORS.get(row["gpu"], row["gpu"])),
        engine=row["engine"],
        engine_version=row.get("engine_version"),
        tp=1 if on_host else ranks // dp if shared else ranks,
        dp=dp,
        ep=row.get("ep") or 1,
        pp=row.get("pp") or 1,
        nodes=row["nodes"],
        concurrency=row.get("concurrency") or 1,
        prompt_tokens=int(row["isl_mean"]),
        output_tokens=int(row["osl_mean"] or row["isl_mean"]),
        kv_cache_dtype="fp8" if "fp8_e4m3" in flags else "auto",
        mtp_draft_tokens=1 if re.search("EAGLE|mtp", flags) else 0,
        host_share=1.0 if on_host else 0.0,
        host_memory_bytes_per_s=row.get("host_memory_gb_per_s", _XEON_6454S_GB_PER_S) * 1e9 if on_host else None,
    )
    limit = row.get("concurrency") or row.get("num_prompts") or 1
    return replace(request, concurrency=max(1, min(limit, _seats(request))))


def _seats(request: SpeedRequest) -> int:
    """How many requests the engine runs at once: its own limit, or what its cache holds."""
    if request.engine == "llama.cpp":
        return 1
    spec = request.accelerator
    assert spec is not None
    if request.engine == "sglang":
        # ServerArgs: 48 running requests where speculative decoding is on and nothing is set.
        seats = 48 if request.mtp_draft_tokens else 4096
    else:
        # EngineArgs: 1024 on an API server from 70 GiB except A100, else 256.
        seats = 1024 if spec.memory_nominal_bytes >= 70 << 30 and "a100" not in spec.id else 256
    return min(seats, int(_pool_tokens(request) / (request.prompt_tokens + request.output_tokens)))


def _pool_tokens(request: SpeedRequest) -> float:
    """Tokens of cache in all attention replicas: 90 % of memory, less weights and 6 GiB per device for all else."""
    a, s, spec = request.architecture, shape_of(request.architecture), request.accelerator
    assert spec is not None
    experts = s.moe_layers * s.experts * s.expert * request.weights.experts.bits / 8
    rest = s.layers * s.attention_split + s.dense_layers * s.dense_mlp + s.moe_layers * s.shared_experts
    weights = experts / (request.tp * request.dp) + rest / request.tp * request.weights.attention.bits / 8
    weights += 4 * s.head / request.tp
    if a.kv_lora_rank:
        per_token = s.layers * ((a.kv_lora_rank + (a.qk_rope_head_dim or 0)) * 2 + (132 if a.index_topk else 0))
    else:
        per_token = s.layers * 4 * head_dim(a) * max(1, a.num_key_value_heads // request.tp)
    free = (spec.memory_reported_bytes or spec.memory_nominal_bytes) * 0.9 - weights - (6 << 30)
    return max(1.0, request.dp * free / per_token)


def replay(row: dict[str, Any], request: SpeedRequest, level: int) -> float:
    """Output tokens per second of a run of `num_prompts`, never more than the request's concurrency at once."""
    waiting = _lengths(row)
    answered = float(sum(waiting))
    service, limit = ServingSpeed(request), request.concurrency
    reading: dict[int, float] = {}
    steps: dict[int, float] = {}
    clock, done = 0.0, 0
    running: list[int] = []
    while waiting or running:
        admitted = min(len(waiting), limit - len(running))
        for _ in range(admitted):
            heapq.heappush(running, done + waiting.pop())
        if admitted and admitted not in reading:
            reading[admitted] = service.read_prompts(limit, admitted)[level]
        clock += reading.get(admitted, 0.0)
        size = round(1.1 ** round(math.log(len(running), 1.1)))
        if size not in steps:
            step, kept = service.decode_step(size)
            steps[size] = step.total(level) / kept[level]
        until = heapq.heappop(running)
        clock += (until - done) * steps[size]
        done = until
    return answered / clock


def _lengths(row: dict[str, Any]) -> list[int]:
    """Answer lengths of the benchmark's data set, longest not first: ShareGPT's fall off like an exponential, SGLang's
    random ones are uniform from 1 to twice the mean, vLLM's random ones are all equal.
    """
    count, mean = row["num_prompts"], row["osl_mean"]
    shares = [(i + 0.5) / count for i in range(count)]
    if row["isl_mean"] in range(217, 221):
        lengths = [max(1, round(-mean * math.log(1 - share))) for share in shares]
    elif row["id"].startswith("cb-"):
        lengths = [max(1, round(2 * mean * share)) for share in shares]
    else:
        lengths = [int(mean)] * count
    # A fixed stride that shares no factor with the count mixes long and short.
    stride = next(s for s in range(int(count * 0.618) + 1, 2 * count + 2) if math.gcd(s, count) == 1)
    return [lengths[i * stride % count] for i in range(count)]


def main() -> None:
    print("Judged rows\n")
    _print(judged())
    print("\nPublished figures outside the judged rows\n")
    _print(published())
    print("\nMean time to first token, ms: steady (low, expected) to everyone at once (high); shown, not judged\n")
    _print(first_tokens())
    print(f"\n{len(aside())} rows aside:")
    for id, reason in aside().items():
        print(f"  {id:24} {reason}")


def first_tokens() -> list[Compared]:
    """Rows with a stated concurrency, as a benchmark measures them: the first round of users arrives at once and waits
    for half of all prompts on average, the later rounds come one by one. Ten rounds where their number is not stated.
    One user whose slowest first token takes over twice the mean met a server that still compiled: not compared.
    """
    found = []
    for row in rows():
        logged = row["observed"].get("mean_ttft_ms")
        if row["id"] in aside() or not row.get("concurrency") or not logged:
            continue
        if row["concurrency"] == 1 and row["observed"].get("p99_ttft_ms", 0) > 2 * logged:
            continue
        speed = predict_speed(request_of(row))
        steady, burst = speed.ttft_s, speed.burst_ttft_s
        assert steady is not None and burst is not None
        rounds = max(1.0, (row.get("num_prompts") or 10 * row["concurrency"]) / row["concurrency"])
        mean = steady.expected + (burst.expected - steady.expected) / 2 / rounds
        found.append(Compared(row["id"], "first token", logged, steady.high * 1e3, mean * 1e3, burst.low * 1e3))
    return found


def _print(found: list[Compared]) -> None:
    print(f"{'row':24} {'metric':16} {'logged':>9} {'low':>9} {'expected':>9} {'high':>9} {'error':>7}  within")
    for one in found:
        numbers = f"{one.logged:9.1f} {one.low:9.1f} {one.expected:9.1f} {one.high:9.1f} {one.error:+7.0%}"
        print(f"{one.id:24} {one.metric:16} {numbers}  {'yes' if one.within else 'NO'}")
    inside, errors = share_within(found), median_error(found)
    print(
        f"\n{len(found)} rows: {inside:.0%} within the band, median error {errors:.0%},"
        f" median high / low {median(one.high / one.low for one in found):.1f}"
    )


def share_within(found: list[Compared]) -> float:
    return sum(one.within for one in found) / len(found)


def median_error(found: list[Compared]) -> float:
    return median(abs(one.error) for one in found)


if __name__ == "__main__":
    main()
