"""Predicted against logged memory: `python -m tests.truth.memory` prints every row and the errors by engine and term.

Each row of `memory.json` is a run that somebody reported in public. `memory_aside.toml` says which are not judged, why.
"""

import json
import re
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from dsdeploy.core import catalogue
from dsdeploy.core.accelerators import find_accelerator
from dsdeploy.core.architecture import Architecture, from_config
from dsdeploy.core.errors import DsdeployError
from dsdeploy.core.sizing.memory import estimate_memory
from dsdeploy.core.sizing.values import MemoryEstimate, MemoryRequest

HERE = Path(__file__).parent
GIB = 1 << 30
_ANY_BYTES = 80.0 * GIB  # for rows whose memory is not stated: nothing that depends on it is judged
# Names in reports, by the model whose shape they have.
_SAME_SHAPE = {
    "meta-llama/Meta-Llama-3-8B": "deepseek-r1-distill-llama-8b",
    "meta-llama/Llama-3.1-8B-Instruct": "deepseek-r1-distill-llama-8b",
    "Qwen/Qwen3-8B": "deepseek-r1-0528-qwen3-8b",
    "Qwen/Qwen2.5-32B-Instruct": "deepseek-r1-distill-qwen-32b",
    "DeepSeek-R1 AWQ (moe_wna16)": "deepseek-r1",
    "nvidia/DeepSeek-R1-FP4": "deepseek-r1",
    "deepseek-ai/DeepSeek-R1 (DeepseekV3ForCausalLM)": "deepseek-r1",
    "DeepSeek V3/R1": "deepseek-r1",
    "DeepSeek-R1-Distill-Qwen-7B (28 layers)": "deepseek-r1-distill-qwen-7b",
    "Qwen/Qwen3-30B-A3B (inferred from size)": "Qwen/Qwen3-30B-A3B",
    "Qwen/Qwen3-235B-A22B": "Qwen/Qwen3-235B-A22B-FP8",
    "deepseek-ai/DeepSeek-V4-Flash (0731/DSpark)": "deepseek-v4-flash-0731",
}


@dataclass(frozen=True, slots=True)
class Compared:
    id: str
    engine: str
    family: str
    term: str
    logged: float
    predicted: float

    @property
    def error(self) -> float:
        return self.predicted / self.logged - 1


@cache
def rows() -> tuple[dict[str, Any], ...]:
    return tuple(json.loads((HERE / "memory.json").read_text(encoding="utf-8")))


@cache
def aside() -> dict[str, str]:
    groups = tomllib.loads((HERE / "memory_aside.toml").read_text(encoding="utf-8"))["group"]
    return {id: group["reason"] for group in groups for id in group["ids"]}


@cache
def partly() -> dict[str, tuple[str, ...]]:
    """The terms by which a row with gaps is judged, by its id."""
    groups = tomllib.loads((HERE / "memory_aside.toml").read_text(encoding="utf-8"))["partly"]
    return {id: tuple(group["terms"]) for group in groups for id in group["ids"]}


@cache
def _others() -> dict[str, Any]:
    found = json.loads((HERE / "qwen3.json").read_text(encoding="utf-8"))
    return {**found, **json.loads((HERE / "other_models.json").read_text(encoding="utf-8"))}


def shape(name: str) -> Architecture:
    known = _SAME_SHAPE.get(name, name)
    return from_config(_others()[known]) if known in _others() else catalogue.architecture(known)


def device_bytes(row: dict[str, Any]) -> float:
    """What the driver offers: the logged total where it is not a round nominal size, else the catalogue's."""
    stated = row.get("gpu_mem_gib")
    if not stated and not row.get("gpu"):
        return _ANY_BYTES
    if stated and stated != int(stated):
        return float(stated) * GIB
    try:
        spec = find_accelerator(row["gpu"] or "")
    except DsdeployError:
        return float(stated) * GIB * 0.985 if stated else _ANY_BYTES
    return float(spec.memory_usable_bytes or spec.memory_reported_bytes or spec.memory_nominal_bytes * 0.985)


def request(row: dict[str, Any]) -> MemoryRequest:
    flags = row.get("flags") or ""
    a = shape(row["model"])
    tp = row["tp"] or ((row["n_gpus"] or 1) // (row.get("pp") or 1) // (row.get("dp") or 1))
    return MemoryRequest(
        architecture=a,
        format="fp8-block" if row["model"].endswith("V4-Pro-FP8") else _format(row),
        engine=row["engine"],
        device_bytes=device_bytes(row),
        count=(row["n_gpus"] or tp) // row["nodes"],
        nodes=row["nodes"],
        engine_version=row["engine_version"],
        tensor_parallel=1 if row["engine"] == "llama.cpp" else tp,
        pipeline_parallel=row.get("pp") or 1,
        data_parallel=row.get("dp") or 1,
        expert_parallel=bool(row.get("ep")),
        max_model_len=row["max_model_len"],
        memory_utilization=row.get("gpu_memory_utilization") or row.get("mem_fraction_static"),
        kv_cache_dtype=row.get("kv_cache_dtype") or "auto",
        max_num_seqs=_flag(flags, "max[-_]num[-_]seqs"),
        max_num_batched_tokens=_flag(flags, "max[-_]num[-_]batched[-_]tokens"),
        published_bytes=_published(row["model"], _format(row)),
        draft_layers=1 if "MTP" in row["weight_format"] + flags else 0,
        eager="enforce-eager" in flags,
        cpu_offload_bytes=(_flag(flags, "cpu-offload-gb") or 0) * GIB,
        decode_context_parallel=_flag(flags, "decode-context-parallel-size") or 1,
        device_name=row["gpu"] or "",
        linked=not re.search("3090|4090|L40|A10|T4|3080", row["gpu"] or ""),
    )


def _format(row: dict[str, Any]) -> str:
    stated = re.sub(r" \(.*", "", row["weight_format"])
    return "bf16" if stated == "not stated" else stated.lower()


def _flag(flags: str, name: str) -> int | None:
    found = re.search(rf"{name}[ =](\d+)", flags)
    return int(found[1]) if found else None


def _published(name: str, format: str) -> float | None:
    known = _SAME_SHAPE.get(name, name)
    if known in _others():
        return None
    if format.startswith("gguf-"):
        variants = catalogue.variants(catalogue.find_model(known)["id"])
        return next((one.size_bytes for one in variants if one.format == format), None)
    return (catalogue.find_model(known).get("weights") or {}).get("tensor_bytes")


def predicted(row: dict[str, Any]) -> MemoryEstimate:
    return estimate_memory(request(row))


def compared(row: dict[str, Any]) -> tuple[Compared, ...]:
    seen, answer, a = row["observed"], predicted(row), shape(row["model"])
    family = "MLA" if a.kv_lora_rank else "V4" if a.compress_ratios else "GQA"
    dp = (row.get("dp") or 1) if "total over" in (row.get("notes") or "") else 1
    logged_tokens, logged_gib = seen.get("kv_cache_tokens"), seen.get("kv_cache_gib_per_gpu")
    exact = isinstance(logged_tokens, int) and isinstance(logged_gib, float) and not request(row).pipeline_parallel > 1
    per_token = answer.kv_cache_bytes_per_device / max(1, answer.kv_cache_tokens)
    first_stage = (answer.stage_weights_bytes or (answer.weights_bytes_per_device,))[0]
    pairs = {
        "bytes a token": (logged_gib * GIB / logged_tokens if exact else None, per_token),
        "weights": (seen.get("weights_gib_per_gpu"), first_stage / GIB),  # what rank 0 logs
        "compute buffer": (seen.get("compute_buffer_mib"), _term(answer, "compute") / (1 << 20)),
        "cache bytes": (seen.get("kv_cache_gib_per_gpu"), answer.kv_cache_bytes_per_device / GIB),
        "cache total": (seen.get("kv_cache_mib_total"), _cache_of_all_devices(row) / (1 << 20)),
        "cache tokens": (seen.get("kv_cache_tokens"), float(answer.kv_cache_tokens)),
        "concurrency": (seen["max_concurrency"] / dp if seen.get("max_concurrency") else None, answer.max_concurrency),
    }
    return tuple(
        Compared(row["id"], row["engine"], family, term, logged, ours)
        for term, (logged, ours) in pairs.items()
        if term in partly().get(row["id"], tuple(pairs))
        and isinstance(logged, int | float)
        and (term != "concurrency" or row["max_model_len"])
    )


def _cache_of_all_devices(row: dict[str, Any]) -> float:
    """llama.cpp allocates it whole, wherever its layers are: as on one device without bounds."""
    if row["engine"] != "llama.cpp":
        return 0.0
    return estimate_memory(replace(request(row), count=1, device_bytes=1e15)).kv_cache_bytes_per_device


def _term(answer: MemoryEstimate, name: str) -> float:
    return sum(term.size_bytes for term in answer.terms if term.name == name)


def judged() -> tuple[dict[str, Any], ...]:
    return tuple(row for row in rows() if row["id"] not in aside())


def summary(found: list[Compared]) -> str:
    errors = sorted(abs(one.error) for one in found)
    worst = quantiles(errors, n=10)[-1] if len(errors) > 1 else errors[0]
    return f"{len(errors):3d} rows, median {median(errors):6.1%}, 90th percentile {worst:6.1%}"


def report() -> None:
    found: list[Compared] = []
    for row in judged():
        seen = compared(row)
        found += seen
        said = predicted(row).verdict
        print(f"{row['id']:24s} {row['engine']:10s} logged {row['observed'].get('outcome')!s:13s} predicted {said}")
        for one in seen:
            print(f"    {one.term:13s} logged {one.logged:14,.2f} predicted {one.predicted:14,.2f} {one.error:+7.1%}")
    for name in ("term", "engine", "family"):
        for value in sorted({getattr(one, name) for one in found}):
            for term in ("weights", "cache tokens") if name != "term" else (value,):
                some = [one for one in found if getattr(one, name) == value and one.term == term]
                if some:
                    print(f"{value:12s} {term:13s} {summary(some)}")


if __name__ == "__main__":
    report()
