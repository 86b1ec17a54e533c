"""Judges one exact configuration: its memory and its speed. Nothing is searched."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dsdeploy.adapters.model_config import load_config
from dsdeploy.core import catalogue
from dsdeploy.core.accelerators import AcceleratorSpec, find_accelerator, formats_run, offered_bytes
from dsdeploy.core.architecture import Architecture
from dsdeploy.core.band import Band
from dsdeploy.core.engines import engines, find_engine
from dsdeploy.core.errors import DsdeployError, InvalidRequest
from dsdeploy.core.sizing.formats import FORMATS, find_format
from dsdeploy.core.sizing.kv_cache import cache_types
from dsdeploy.core.sizing.llamacpp import fit_offload, host_share
from dsdeploy.core.sizing.memory import NEWEST, estimate_memory, parallelism_fault, version_of
from dsdeploy.core.sizing.speed import SpeedEstimate, SpeedRequest, predict_speed
from dsdeploy.core.sizing.support import format_support, same_format, weight_formats
from dsdeploy.core.sizing.values import MemoryEstimate, MemoryRequest
from dsdeploy.core.texts import Text, text

_INFINIBAND_BYTES_PER_S = 50e9  # 400 Gbit/s a device, the usual rail of an HGX node; said as a warning


@dataclass(frozen=True, slots=True)
class Question:
    """As `dsdeploy estimate` asks it. None is: as the engine, the model or the accelerator has it."""

    model: str | None
    format: str | None = None
    engine: str = "vllm"
    engine_version: str | None = None
    accelerator: str | None = None
    count: int = 1
    nodes: int = 1
    tensor_parallel: int | None = None
    pipeline_parallel: int = 1
    data_parallel: int = 1
    expert_parallel: bool = False
    max_model_len: int | None = None
    memory_utilization: float | None = None
    kv_cache_dtype: str = "auto"
    max_num_seqs: int | None = None
    users: int = 1
    prompt_tokens: int = 1024
    output_tokens: int = 512
    cpu_offload_bytes: int = 0
    gpu_layers: int | None = None
    device_memory_bytes: int | None = None
    host_memory_bytes: int | None = None
    config: Path | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """The answer, field by field as the command line promises it. Speed is None where a figure it needs is unknown."""

    model: str
    format: str
    engine: str
    fits: bool
    verdict: str
    weights_bytes_per_device: int
    runtime_bytes_per_device: int
    kv_cache_bytes_per_device: int
    kv_cache_tokens: int
    max_concurrency: float
    max_model_len: int
    device_memory_bytes: int
    host_memory_bytes: int
    decode_tokens_per_s_per_user: Band | None
    decode_tokens_per_s_total: Band | None
    ttft_s: Band | None
    terms: dict[str, dict[str, Any]]
    warnings: tuple[Text, ...]


def estimate(question: Question) -> Estimate:
    """Raises UnknownModel, UnknownAccelerator, UnknownEngine, ConfigMalformed, InvalidRequest."""
    a, name, published, native = _model(question)
    spec = find_accelerator(question.accelerator) if question.accelerator else None
    if spec is None and question.device_memory_bytes is None:
        raise InvalidRequest(text("estimate-no-device"), hint=text("estimate-no-device-hint"))
    engine = find_engine(question.engine).name
    _judge_numbers(question, a)
    format = question.format or native
    request = _memory_request(question, a, engine, format, published, _device_bytes(question, spec))
    warnings: list[Text] = []
    request = _with_experts_in_host(question, request, warnings)
    if unsupported := _unsupported(spec, engine, format, a, warnings):
        memory = MemoryEstimate("format_unsupported", 0.0, 0.0, 0.0, 0, 0.0, (), ())
        warnings.append(unsupported)
    elif fault := parallelism_fault(request):
        memory = MemoryEstimate("parallelism_invalid", 0.0, 0.0, 0.0, 0, 0.0, (), ())
        warnings.append(FAULTS[fault])
    else:
        memory = estimate_memory(request)
    if question.host_memory_bytes is not None and memory.host_bytes > question.host_memory_bytes:
        memory = replace(memory, verdict="weights_too_large")
        warnings.append(text("warning-host-too-small", needed=f"{memory.host_bytes / 1e9:,.1f}"))
    warnings += [MEMORY_WARNINGS[code] for code in memory.warnings]
    speed = (
        _speed(question, a, spec, engine, format, request, warnings) if memory.verdict != "format_unsupported" else None
    )
    return _answer(question, name, format, engine, request, memory, speed, tuple(warnings))


FAULTS = {
    "more-ranks-than-devices": text("fault-more-ranks"),
    "heads-not-divisible": text("fault-heads"),
    "kv-heads-not-divisible": text("fault-kv-heads"),
    "more-stages-than-layers": text("fault-stages"),
}
MEMORY_WARNINGS = {
    "graphs-outside-budget": text("warning-graphs-outside"),
    "v4-cache-unsettled": text("warning-v4-cache"),
    "sglang-on-ascend": text("warning-sglang-ascend"),
}


def _model(question: Question) -> tuple[Architecture, str, float | None, str]:
    """Shape, name, published bytes of the asked format, native format."""
    if question.config is not None:
        return _from_file(question.config)
    if question.model is None:
        raise InvalidRequest(text("estimate-no-model"), hint=text("estimate-no-model-hint"))
    model = catalogue.find_model(question.model)
    variants = catalogue.variants(model["id"])
    native = next((one.format for one in variants if one.native), "bf16")
    wanted = (question.format or native).lower()
    same = [one for one in variants if same_format(one.format, wanted) and one.size_bytes]
    if wanted.startswith("gguf") and not same:
        near = ", ".join(one.format for one in variants if one.format.startswith("gguf") and one.size_bytes) or "-"
        raise InvalidRequest(
            text("estimate-unknown-format", found=wanted), hint=text("estimate-format-hint", near=near)
        )
    return catalogue.architecture(model), model["id"], float(same[0].size_bytes or 0) if same else None, native


def _from_file(path: Path) -> tuple[Architecture, str, float | None, str]:
    a = load_config(path)
    quantisation = (a.quantization_config or {}).get("quant_method")
    return a, str(path), None, "fp8-block" if quantisation == "fp8" else "bf16"


def _judge_numbers(question: Question, a: Architecture) -> None:
    for name in ("count", "nodes", "pipeline_parallel", "data_parallel", "users", "prompt_tokens", "output_tokens"):
        _at_least_one(name, getattr(question, name))
    for name in ("tensor_parallel", "max_model_len", "max_num_seqs", "device_memory_bytes", "host_memory_bytes"):
        if getattr(question, name) is not None:
            _at_least_one(name, getattr(question, name))
    share = question.memory_utilization
    if share is not None and not 0 < share <= 1:
        raise InvalidRequest(text("estimate-share", found=share), hint=text("estimate-share-hint"))
    if question.kv_cache_dtype.lower() not in cache_types():
        known = ", ".join(cache_types())
        raise InvalidRequest(
            text("estimate-cache-type", found=question.kv_cache_dtype), hint=text("estimate-format-hint", near=known)
        )
    longest = a.max_position_embeddings
    if question.max_model_len and longest and question.max_model_len > longest:
        message = text("estimate-context", found=f"{question.max_model_len:,}", longest=f"{longest:,}")
        raise InvalidRequest(message, hint=text("estimate-context-hint"))


def _at_least_one(name: str, found: int) -> None:
    if found < 1:
        raise InvalidRequest(text("bad-number", name=name, found=found), hint=text("bad-number-hint"))


def _device_bytes(question: Question, spec: AcceleratorSpec | None) -> float:
    if question.device_memory_bytes is not None:
        return float(question.device_memory_bytes)
    assert spec is not None
    return offered_bytes(spec)


def _memory_request(
    question: Question, a: Architecture, engine: str, format: str, published: float | None, device_bytes: float
) -> MemoryRequest:
    ranks = question.count * question.nodes
    tensor = question.tensor_parallel or max(1, ranks // question.pipeline_parallel // question.data_parallel)
    gguf = format.lower().startswith("gguf")
    if not gguf and find_format(format, native_block="weight_block_size" in (a.quantization_config or {})) is None:
        near = ", ".join((*FORMATS, "gguf-q4_k_m"))
        raise InvalidRequest(
            text("estimate-unknown-format", found=format), hint=text("estimate-format-hint", near=near)
        )
    return MemoryRequest(
        architecture=a, format=format, engine=engine if engine in NEWEST else "vllm", device_bytes=device_bytes,
        count=question.count, nodes=question.nodes, engine_version=question.engine_version,
        tensor_parallel=tensor if engine != "llama.cpp" else 1, pipeline_parallel=question.pipeline_parallel,
        data_parallel=question.data_parallel, expert_parallel=question.expert_parallel,
        max_model_len=question.max_model_len or a.max_position_embeddings,
        memory_utilization=question.memory_utilization, kv_cache_dtype=question.kv_cache_dtype,
        max_num_seqs=question.max_num_seqs, published_bytes=published,
        cpu_offload_bytes=question.cpu_offload_bytes, gpu_layers=question.gpu_layers,
        device_name=question.accelerator or "",
        linked=not (question.accelerator and find_accelerator(question.accelerator).link == "PCIe"),
    )  # fmt: skip


def _with_experts_in_host(question: Question, request: MemoryRequest, warnings: list[Text]) -> MemoryRequest:
    """Where host memory is offered, llama.cpp leaves as many layers' experts there as the devices cannot hold."""
    if request.engine != "llama.cpp" or not question.host_memory_bytes:
        return request
    placed = fit_offload(request, version_of("llama.cpp", request.engine_version), question.host_memory_bytes)
    if placed is None or not placed.expert_layers_in_host:
        return request
    options = f"--n-cpu-moe {placed.expert_layers_in_host}"
    if placed.tensor_split:
        options += f" --tensor-split {','.join(map(str, placed.tensor_split))}"
    warnings.append(text("warning-experts-in-host", layers=placed.expert_layers_in_host, options=options))
    return placed


def _unsupported(
    spec: AcceleratorSpec | None, engine: str, format: str, a: Architecture, warnings: list[Text]
) -> Text | None:
    """Why this engine cannot run this format on this chip, with what would; None when it can or nobody says."""
    if spec is None:
        return None
    runs = formats_run(spec, engine)
    if not runs:
        able = ", ".join(one.name for one in engines() if formats_run(spec, one.name)) or "-"
        warnings.append(text("warning-engine-not-named", engine=engine, name=spec.name, engines=able))
        return None
    support = format_support(spec, engine, format, a)
    if support == "unpacked":
        warnings.append(text("warning-unpacked", format=format, name=spec.name))
    if support == "none":
        return text("format-unsupported", format=format, name=spec.name, engine=engine, runs=", ".join(runs))
    return None


def _speed(
    question: Question, a: Architecture, spec: AcceleratorSpec | None, engine: str, format: str,
    memory: MemoryRequest, warnings: list[Text],
) -> SpeedEstimate | None:  # fmt: skip
    if spec is None:
        warnings.append(text("warning-speed-unknown"))
        return None
    if question.nodes > 1:
        warnings.append(text("warning-network-assumed"))
    share, experts_first = host_share(memory) if memory.engine == "llama.cpp" else (0.0, False)
    try:
        return predict_speed(
            SpeedRequest(
                architecture=a, weights=weight_formats(a, format, memory.published_bytes), accelerator=spec,
                engine=memory.engine, engine_version=question.engine_version,
                tp=memory.tensor_parallel, pp=memory.pipeline_parallel, dp=memory.data_parallel,
                nodes=question.nodes, concurrency=question.users,
                ep=memory.tensor_parallel * memory.data_parallel if question.expert_parallel else 1,
                prompt_tokens=question.prompt_tokens, output_tokens=question.output_tokens,
                kv_cache_dtype=question.kv_cache_dtype,
                host_share=share, host_experts_first=experts_first,
                internode_bytes_per_s=_INFINIBAND_BYTES_PER_S if question.nodes > 1 else None,
            )
        )  # fmt: skip
    except DsdeployError as error:
        warnings.append(text("warning-speed-refused", reason=error.message))
        return None


def _answer(
    question: Question, name: str, format: str, engine: str, request: MemoryRequest, memory: MemoryEstimate,
    speed: SpeedEstimate | None, warnings: tuple[Text, ...],
) -> Estimate:  # fmt: skip
    terms = {one.name: {"bytes": round(one.size_bytes), "source": one.source} for one in memory.terms}
    return Estimate(
        model=name, format=format, engine=engine, fits=memory.fits, verdict=memory.verdict,
        weights_bytes_per_device=round(memory.weights_bytes_per_device),
        runtime_bytes_per_device=round(memory.runtime_bytes_per_device),
        kv_cache_bytes_per_device=round(memory.kv_cache_bytes_per_device),
        kv_cache_tokens=memory.kv_cache_tokens, max_concurrency=round(memory.max_concurrency, 2),
        max_model_len=request.max_model_len or 0, device_memory_bytes=round(request.device_bytes),
        host_memory_bytes=round(memory.host_bytes),
        decode_tokens_per_s_per_user=speed.decode_tokens_per_s_per_user if speed else None,
        decode_tokens_per_s_total=speed.decode_tokens_per_s_total if speed else None,
        ttft_s=speed.ttft_s if speed else None, terms=terms, warnings=warnings,
    )  # fmt: skip
