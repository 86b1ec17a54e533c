"""Whether a configuration fits its devices, and what is left for the KV cache: one budget an engine."""

import re
from collections.abc import Callable

from dsdeploy.core.sizing import runtime
from dsdeploy.core.sizing.formats import FORMATS, WeightFormat, find_format
from dsdeploy.core.sizing.hybrid_cache import hybrid_cache
from dsdeploy.core.sizing.hybrid_step import resident_bytes
from dsdeploy.core.sizing.kv_cache import VLLM_LATENT_SINCE, layer_token_bytes, sequence_bytes, sglang_token_bytes
from dsdeploy.core.sizing.llamacpp import llamacpp_memory
from dsdeploy.core.sizing.sglang import static_fraction
from dsdeploy.core.sizing.values import MemoryEstimate, MemoryRequest, Term
from dsdeploy.core.sizing.weights import Shares, Stage, stage_layers, stages

NEWEST = {"vllm": (0, 32), "sglang": (0, 5, 23), "llama.cpp": (11434,), "vllm-ascend": (0, 13)}
_BLOCK_TOKENS = 16
_VLLM_UTILIZATION = 0.9
_VLLM_UTILIZATION_SINCE_21 = 0.92  # vllm/config/cache.py raised the default when graphs came into the budget
_EVEN_STAGES_SINCE = (0, 8)
# Before, `--cpu-offload-gb` copied each offloaded layer to the device while it ran
# (vllm/model_executor/models/utils.py, `maybe_offload_to_cpu` of 0.6.6 and 0.8.5).
_READS_HOST_SINCE = (0, 8)
# SGLang then appended as many copies of V3's shared expert to the routed ones as there are ranks, so each rank held a
# whole one (sglang/srt/models/deepseek_v2.py, `n_share_experts_fusion = tp_size`); since 0.4.7 it appends one.
# 0.4.5 did so on every chip; 0.4.6.post5 no longer on AMD nor before Hopper, which no version number here tells.
_SHARED_EXPERT_COPIES = ((0, 4, 5), (0, 4, 7))
_ABSORBS_REQUANTISED = ((0, 7, 1), (0, 8))


def estimate_memory(request: MemoryRequest) -> MemoryEstimate:
    """The answer for one exact configuration. Raises ValueError for a format or an engine that nobody knows."""
    budgets: dict[str, Callable[[MemoryRequest], MemoryEstimate]] = {
        "vllm": _vllm, "vllm-ascend": _vllm, "sglang": _sglang, "llama.cpp": _llamacpp
    }  # fmt: skip
    if request.engine not in budgets:
        raise ValueError(request.engine)
    if reason := parallelism_fault(request):
        return _refused("parallelism_invalid", reason)
    return budgets[request.engine](request)


def parallelism_fault(request: MemoryRequest) -> str | None:
    """Why these sizes cannot run, as a code; None when they can."""
    a, tp = request.architecture, request.tensor_parallel
    replicas = 1 if request.engine == "sglang" else request.data_parallel  # SGLang's data parallelism is inside TP
    if tp * request.pipeline_parallel * replicas > request.count * request.nodes:
        return "more-ranks-than-devices"
    if a.num_attention_heads % tp:
        return "heads-not-divisible"
    if not a.kv_lora_rank and max(a.num_key_value_heads, tp) % min(a.num_key_value_heads, tp):
        return "kv-heads-not-divisible"
    if request.pipeline_parallel > a.num_hidden_layers:
        return "more-stages-than-layers"
    return None


def version_of(engine: str, version: str | None) -> tuple[int, ...]:
    """The leading numbers of a version; the newest known where none is given."""
    found = re.search(r"\d+(?:\.\d+)+", version or "") or re.search(r"\d+", version or "")
    return tuple(map(int, found[0].split("."))) if found else NEWEST[engine]


def _version(request: MemoryRequest) -> tuple[int, ...]:
    return version_of(request.engine, request.engine_version)


def weight_format(request: MemoryRequest) -> WeightFormat | None:
    a = request.architecture
    if a.expert_dtype == "fp4" and request.format == "fp8":
        return FORMATS["fp4-experts+fp8"]  # what DeepSeek-V4's own "fp8" release is
    return find_format(request.format, native_block="weight_block_size" in (a.quantization_config or {}))


def _vllm(request: MemoryRequest) -> MemoryEstimate:
    """vLLM: utilisation x memory, less weights, contexts, the profiled peak and, since 0.21, graphs
    (vllm/v1/worker/gpu_worker.py, `determine_available_memory`)."""
    a, version = request.architecture, version_of(request.engine, request.engine_version)
    latent = request.engine == "vllm-ascend" or version >= VLLM_LATENT_SINCE
    default = _VLLM_UTILIZATION if version < runtime.GRAPHS_IN_BUDGET_SINCE else _VLLM_UTILIZATION_SINCE_21
    share = request.memory_utilization or default
    terms = list(runtime.context_terms(request))
    tokens = runtime.step_tokens(request, version)
    terms.append(
        Term("activations", runtime.activation_bytes(request, tokens, version), f"one step of {tokens} tokens")
    )
    graphs = runtime.graph_bytes(a, request, version)
    in_budget = runtime.counts_graphs(request, version)
    if in_budget:
        terms.append(Term("graphs", graphs, "captured CUDA graphs, in the budget since vLLM 0.21"))
    shares = _shares(
        request, attention=request.tensor_parallel, experts=request.tensor_parallel * request.data_parallel
    )
    found = _stages(request, shares, _absorbed_bytes(request, version))
    if runtime.is_hybrid(request):
        beside = resident_bytes(a, tokens)
        found = tuple(Stage(stage.weights_bytes + beside, stage.layers) for stage in found)
    if request.cpu_offload_bytes and version < _READS_HOST_SINCE:
        layer = max(stage.weights_bytes / stage.layers for stage in found)
        terms.append(Term("offloaded layer", layer, "copied to the device while it runs"))
    warnings = ["graphs-outside-budget"] if (
        not in_budget and graphs > (1 - share) * request.device_bytes
    ) else []  # fmt: skip
    return _answer(request, found, tuple(terms), share * request.device_bytes, latent, warnings)


def _sglang(request: MemoryRequest) -> MemoryEstimate:
    """SGLang: what is free after loading, less the part of all memory that is not static
    (sglang/srt/model_executor/model_runner.py, `profile_max_num_token`)."""
    version = version_of("sglang", request.engine_version)
    fraction = request.memory_utilization or static_fraction(request, version)
    contexts = runtime.context_terms(request)
    before = request.device_bytes - sum(term.size_bytes for term in contexts)
    dynamic = Term("dynamic", before * (1 - fraction), f"outside mem_fraction_static {fraction}")
    attention = max(1, request.tensor_parallel // request.data_parallel) if request.data_parallel > 1 else (
        request.tensor_parallel
    )  # fmt: skip
    copies = _absorbed_bytes(request, (0, 8)) + _fused_shared_bytes(request, version)
    found = _stages(request, _shares(request, attention, request.tensor_parallel), copies)
    warnings = ["sglang-on-ascend"] if runtime.on_ascend(request) else []
    return _answer(request, found, (*contexts, dynamic), request.device_bytes, True, warnings)


def _llamacpp(request: MemoryRequest) -> MemoryEstimate:
    return llamacpp_memory(request, _version(request))


def _shares(request: MemoryRequest, attention: int, experts: int) -> Shares:
    return Shares(request.tensor_parallel, attention, experts)


def _stage_counts(request: MemoryRequest) -> tuple[int, ...]:
    old = request.engine == "vllm" and _version(request) < _EVEN_STAGES_SINCE
    return stage_layers(request.architecture.num_hidden_layers, request.pipeline_parallel, rest_last=old)


def _stages(request: MemoryRequest, shares: Shares, absorbed: float) -> tuple[Stage, ...]:
    """A format without a formula (GGUF in vLLM, say) is the bf16 layout scaled to its published size."""
    known, counts = weight_format(request), _stage_counts(request)
    format, published = (known, request.published_bytes) if known else (FORMATS["bf16"], None)
    found = stages(request.architecture, format, shares, counts, request.draft_layers, published, absorbed)
    if known:
        return found
    if not request.published_bytes:
        raise ValueError(request.format)
    whole = stages(request.architecture, format, Shares(1, 1, 1), (sum(counts),), 0, None)
    total = sum(stage.weights_bytes for stage in whole)
    return tuple(Stage(stage.weights_bytes * request.published_bytes / total, stage.layers) for stage in found)


def _absorbed_bytes(request: MemoryRequest, version: tuple[int, ...]) -> float:
    """Copies of MLA's up-projection, per layer and rank. vLLM 0.7.1 to 0.7.3 multiplied it into the query's and the
    output's projections and kept these as FP8; since then, and in SGLang, key and value halves are kept as bf16."""
    a, tp = request.architecture, request.tensor_parallel
    if not a.kv_lora_rank:
        return 0.0
    heads = a.num_attention_heads / tp
    if _ABSORBS_REQUANTISED[0] <= version < _ABSORBS_REQUANTISED[1]:
        width = 1 if (weight_format(request) or FORMATS["bf16"]).linear_bytes == 1 else 2
        return heads * a.kv_lora_rank * ((a.q_lora_rank or a.hidden_size) + a.hidden_size) * width
    if version < _ABSORBS_REQUANTISED[0]:
        return 0.0
    return 2 * heads * a.kv_lora_rank * ((a.qk_nope_head_dim or 0) + (a.v_head_dim or 0))


def _fused_shared_bytes(request: MemoryRequest, version: tuple[int, ...]) -> float:
    """What a rank holds of the shared expert beyond its slice, as a mean over all layers."""
    a, since = request.architecture, _SHARED_EXPERT_COPIES
    if not (since[0] <= version < since[1] and a.name == "DeepseekV3ForCausalLM" and a.n_routed_experts == 256):
        return 0.0
    shared = 3 * a.hidden_size * (a.moe_intermediate_size or 0) * a.n_shared_experts
    layers = (a.num_hidden_layers - a.first_k_dense_replace) / a.num_hidden_layers
    width = (weight_format(request) or FORMATS["bf16"]).expert_bytes
    return shared * width * layers * (1 - 1 / request.tensor_parallel)


def _answer(
    request: MemoryRequest, found: tuple[Stage, ...], terms: tuple[Term, ...], budget: float, latent: bool,
    warnings: list[str],
) -> MemoryEstimate:  # fmt: skip
    """The stage with the least room decides for all."""
    a = request.architecture
    beside = sum(term.size_bytes for term in terms)
    offloaded, ranks = request.cpu_offload_bytes, request.tensor_parallel * request.pipeline_parallel
    attention = request.tensor_parallel if request.engine != "sglang" else max(
        1, request.tensor_parallel // request.data_parallel
    )  # fmt: skip
    if request.engine == "sglang" and a.compress_ratios:
        per_layer, fixed = sglang_token_bytes(a) / a.num_hidden_layers, 0.0
    else:
        per_layer = layer_token_bytes(a, request.kv_cache_dtype, attention, latent=latent)
        fixed = sequence_bytes(a)
    longest = runtime.longest_context(request)
    heaviest = max(found, key=lambda stage: stage.weights_bytes)
    weights = heaviest.weights_bytes - min(offloaded, heaviest.weights_bytes)
    rooms = [
        (budget - beside - max(0.0, stage.weights_bytes - offloaded), stage.layers * per_layer) for stage in found
    ]  # fmt: skip
    room, per_token = min(rooms, key=lambda one: one[0] / one[1])
    per_sequence = _hybrid_request_bytes(request, longest) or fixed + longest * per_token
    sequences = max(0.0, room) / per_sequence
    tokens = int(max(0.0, room) / per_token) if not fixed else int(sequences * longest)
    tokens = tokens // _BLOCK_TOKENS * _BLOCK_TOKENS * request.decode_context_parallel
    if a.compress_ratios:
        warnings = [*warnings, "v4-cache-unsettled"]
    verdict = "fits" if tokens >= longest else "kv_cache_too_small" if room > 0 else "weights_too_large"
    return MemoryEstimate(verdict, weights, beside, max(0.0, room), tokens, tokens / longest, terms, tuple(warnings),
                          tuple(stage.weights_bytes for stage in found), offloaded * ranks, budget)  # fmt: skip


def _hybrid_request_bytes(request: MemoryRequest, tokens: int) -> float | None:
    """One request of V4 in vLLM's pool of blocks, on the stage with its share of the layers; None for another cache."""
    a = request.architecture
    ratios = a.compress_ratios[: a.num_hidden_layers]
    if "vllm" not in request.engine or not ratios or not set(ratios) <= {0, 4, 128}:
        return None
    version = _version(request) if request.engine == "vllm" else NEWEST["vllm"]
    pool = hybrid_cache(ratios, a.sliding_window or 0, a.head_dim or 0, a.index_head_dim or 0, version)
    in_flight = runtime.step_tokens(request, version) * runtime.batches_in_flight(request, version)
    return pool.request_bytes(tokens, in_flight) * max(_stage_counts(request)) / a.num_hidden_layers


def _refused(verdict: str, reason: str) -> MemoryEstimate:
    return MemoryEstimate(verdict, 0.0, 0.0, 0.0, 0, 0.0, (), (reason,))
