"""llama.cpp: which layers and experts lie on which device, the cache beside them, and the compute buffers.

Source: llama.cpp `src/llama-model.cpp` (`get_layer_buft_list`: layers are shared out whole, the output counts as one
more, the input embedding stays on the host), `common/arg.cpp` (`--n-cpu-moe`), `src/llama-kv-cache*.cpp`,
`src/llama-context.cpp` (`graph_reserve`), `src/models/deepseek2.cpp`; `ggml-backend.cpp` for the copies of weights.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from dsdeploy.core.architecture import Architecture
from dsdeploy.core.sizing.gguf import Gguf, gguf_parts
from dsdeploy.core.sizing.kv_cache import value_bytes
from dsdeploy.core.sizing.parameters import head_dim
from dsdeploy.core.sizing.runtime import CONTEXT_BYTES, longest_context
from dsdeploy.core.sizing.values import MemoryEstimate, MemoryRequest, Term

_MICRO_BATCH = 512  # --ubatch-size
_CELLS = 256  # n_ctx_seq is padded to it
# The latent is cached since pull request 12801 (April 2025); without values beside it since 19067 (January 2026): the
# first builds of which this is sure.
_LATENT_SINCE, _NO_VALUES_SINCE = (5153,), (7900,)
# llama-server reserves logits for one token a slot, not for a micro-batch, and leaner graphs: measured in 11549.
_FEW_LOGITS_SINCE = (11549,)


@dataclass(frozen=True, slots=True)
class _Device:
    weights: float
    cache: float
    compute: float

    @property
    def whole(self) -> float:
        return self.weights + self.cache + self.compute + CONTEXT_BYTES


def llamacpp_memory(request: MemoryRequest, version: tuple[int, ...]) -> MemoryEstimate:
    """The fullest device decides. The cache is allocated whole at the start, for every slot's full context."""
    context = longest_context(request)
    slots = max(1, request.max_num_seqs or 1)
    cells = -(-context // _CELLS) * _CELLS
    parts = _parts(request)
    devices = _devices(request, version, parts, cells, slots)
    fullest = max(devices, key=lambda one: one.whole)
    terms = (
        Term("context", CONTEXT_BYTES, "CUDA context"),
        Term("compute", fullest.compute, f"graph of a micro-batch of {_MICRO_BATCH} tokens, the fullest device"),
    )
    beside = CONTEXT_BYTES + fullest.compute
    room = request.device_bytes - fullest.weights - beside
    fits = room >= fullest.cache
    away = min(_first_on_device(request, parts), request.architecture.num_hidden_layers)
    host_cache = slots * sum(_layer_caches(request, version, cells)[:away])
    held = slots if fits else max(0.0, room) / fullest.cache * slots if fullest.cache else 0.0
    return MemoryEstimate(
        verdict="fits" if fits else "kv_cache_too_small" if room > 0 else "weights_too_large",
        weights_bytes_per_device=fullest.weights,
        runtime_bytes_per_device=beside,
        kv_cache_bytes_per_device=fullest.cache,
        kv_cache_tokens=int(cells * held),
        max_concurrency=held * min(1.0, cells / context),
        terms=terms,
        warnings=(),
        stage_weights_bytes=tuple(one.weights for one in devices),
        host_bytes=max(0.0, parts.whole - sum(one.weights for one in devices)) + host_cache,
        budget_bytes=request.device_bytes,
    )


def fit_offload(
    request: MemoryRequest, version: tuple[int, ...], host_bytes: float | None = None
) -> MemoryRequest | None:
    """The request with the least `expert_layers_in_host` with which it fits its devices, and `host_bytes` where given;
    None where none does. Where experts stay there, `tensor_split` shares the layers out so that devices are equally
    full."""

    def placed(layers: int) -> MemoryRequest:
        asked = replace(request, expert_layers_in_host=layers)
        many = layers and request.count * request.nodes > 1
        return replace(asked, tensor_split=_balanced(asked, version)) if many else asked

    least = _least(request.architecture.num_hidden_layers, lambda layers: llamacpp_memory(placed(layers), version).fits)
    if least is None:
        return None
    found = placed(least)
    return found if host_bytes is None or llamacpp_memory(found, version).host_bytes <= host_bytes else None


def _least(most: int, fitting: Callable[[int], bool]) -> int | None:
    """The least number up to `most` from which on it fits."""
    least = 0
    if not fitting(most):
        return None
    while least < most:
        middle = (least + most) // 2
        least, most = (least, middle) if fitting(middle) else (middle + 1, most)
    return least


def _balanced(request: MemoryRequest, version: tuple[int, ...]) -> tuple[int, ...]:
    """Layers a device, the output as the last, so that the fullest holds as little as it can: the least bound under
    which layers laid down in order need no more devices than there are."""
    parts, count = _parts(request), request.count * request.nodes
    cells, slots = -(-longest_context(request) // _CELLS) * _CELLS, max(1, request.max_num_seqs or 1)
    first, kept = _first_on_device(request, parts), _expert_layers(request, parts)
    caches = _layer_caches(request, version, cells)
    sizes = [
        parts.layers[layer] + (parts.experts[layer] if layer >= kept else 0.0) + slots * caches[layer]
        for layer in range(first, len(parts.layers))
    ] + [parts.head]
    low, high = max(sizes), sum(sizes)
    for _ in range(20):
        bound = (low + high) / 2
        low, high = (low, bound) if len(_runs(sizes, bound)) <= count else (bound, high)
    found = _runs(sizes, high)
    return (*found, *(0,) * (count - len(found)))


def _runs(sizes: list[float], bound: float) -> tuple[int, ...]:
    runs, room = [0], bound
    for size in sizes:
        if size > room and runs[-1]:
            runs.append(0)
            room = bound
        runs[-1] += 1
        room -= size
    return tuple(runs)


def host_share(request: MemoryRequest) -> tuple[float, bool]:
    """The share of layers' weights in host memory as `SpeedRequest.host_share` wants it, and whether it is one of
    experts alone (`host_experts_first`)."""
    layers, parts = request.architecture.num_hidden_layers, _parts(request)
    away = _first_on_device(request, parts)
    if away:
        return min(1.0, away / layers), False
    sparse = sum(size > 0 for size in parts.experts)
    kept = sum(size > 0 for size in parts.experts[: _expert_layers(request, parts)])
    return (kept / sparse if sparse else 0.0), True


def cache_cell_bytes(a: Architecture, cache_type: str, layer: int, version: tuple[int, ...]) -> float:
    """One cell of one layer that grows with the context; V4's compressed rows as their share of a token."""
    width = value_bytes(cache_type)
    if a.compress_ratios:
        ratio = a.compress_ratios[layer]
        rows = head_dim(a) / ratio if ratio else 0.0
        return (rows + ((a.index_head_dim or 0) / ratio if ratio == 4 else 0.0)) * width
    if not a.kv_lora_rank:
        return 2 * a.num_key_value_heads * head_dim(a) * width
    rope, latent = a.qk_rope_head_dim or 0, a.kv_lora_rank
    if version < _LATENT_SINCE:
        return a.num_attention_heads * ((a.qk_nope_head_dim or 0) + rope + (a.v_head_dim or 0)) * width
    values = latent if version < _NO_VALUES_SINCE else 0
    return (latent + rope + values + (a.index_head_dim or 0)) * width


def _parts(request: MemoryRequest) -> Gguf:
    return gguf_parts(request.architecture, request.format, request.published_bytes or 0.0)


def _first_on_device(request: MemoryRequest, parts: Gguf) -> int:
    """The layers before it stay on the host; so do whole ones, where bytes are to be offloaded and there are no
    experts."""
    if request.gpu_layers is not None:
        return max(len(parts.layers) + 1 - request.gpu_layers, 0)
    return 0 if any(parts.experts) else _enough(parts.layers, request.cpu_offload_bytes)


def _expert_layers(request: MemoryRequest, parts: Gguf) -> int:
    return max(request.expert_layers_in_host, _enough(parts.experts, request.cpu_offload_bytes))


def _enough(sizes: tuple[float, ...], wanted: float) -> int:
    """How many of the first `sizes` make up `wanted`."""
    count = 0
    while wanted > 0 and count < len(sizes):
        wanted -= sizes[count]
        count += 1
    return count


def _devices(
    request: MemoryRequest, version: tuple[int, ...], parts: Gguf, cells: int, slots: int
) -> tuple[_Device, ...]:
    """Equal devices split the offloaded layers, the output as the last one, into equal runs or the asked ones."""
    a, count = request.architecture, request.count * request.nodes
    layers, experts_from = a.num_hidden_layers, _expert_layers(request, parts)
    first = min(_first_on_device(request, parts), layers + 1)
    shared = layers + 1 - first
    weights, cache, copies = [0.0] * count, [0.0] * count, [0.0] * count
    logits, caches = 0.0, _layer_caches(request, version, cells)
    equal = [index * count // max(1, shared) for index in range(shared)]
    owners = [device for device, held in enumerate(request.tensor_split) for _ in range(held)] or equal
    for layer in range(first, layers + 1):
        device = owners[layer - first]
        if layer == layers:
            weights[device] += parts.head
            logits = 4.0 * (slots if version >= _FEW_LOGITS_SINCE else _MICRO_BATCH) * a.vocab_size
            continue
        weights[device] += parts.layers[layer]
        if layer < experts_from:
            if parts.experts[layer]:
                copies[device] = parts.widest_expert
        else:
            weights[device] += parts.experts[layer]
        cache[device] += caches[layer] * slots
    if 0 < first <= layers and shared:
        copies[0] = max(copies[0], parts.widest_expert or max(parts.layers[:first]) / 3)
    peak = _layer_peak(a, cells, version)
    hidden = 4.0 * _MICRO_BATCH * a.hidden_size
    ends = [logits + hidden if device == owners[-1] else 0.0 for device in range(count)] if owners else [0.0] * count
    return tuple(
        _Device(held, kept, max(peak + copy, end))
        for held, kept, copy, end in zip(weights, cache, copies, ends, strict=True)
    )


def _layer_caches(request: MemoryRequest, version: tuple[int, ...], cells: int) -> tuple[float, ...]:
    """Of each layer; those that compress alike are sized once."""
    a = request.architecture
    ratios = a.compress_ratios[: a.num_hidden_layers] or (0,) * a.num_hidden_layers
    sizes = {ratio: _layer_cache(request, version, ratios.index(ratio), cells) for ratio in set(ratios)}
    return tuple(sizes[ratio] for ratio in ratios)


def _layer_cache(request: MemoryRequest, version: tuple[int, ...], layer: int, cells: int) -> float:
    """With V4's window of recent tokens, which every layer keeps for a micro-batch more."""
    a = request.architecture
    size = cells * cache_cell_bytes(a, request.kv_cache_dtype, layer, version)
    if a.compress_ratios:
        window = -(-((a.sliding_window or 0) + _MICRO_BATCH) // _CELLS) * _CELLS
        size += min(cells, window) * head_dim(a) * value_bytes(request.kv_cache_dtype)
    return size


def _layer_peak(a: Architecture, cells: int, version: tuple[int, ...]) -> float:
    """The widest moment of one layer with flash attention, in float32: the experts' outputs, their inner values and the
    residual, or MLA's queries (as they are, rotated, absorbed, reordered, joined) and its outputs twice; beside the
    mask in float32 and in 16 bits. Four logged runs of 2025: 774.0, 144.0, 304.75 and 788.0 MiB. Build 11549 keeps the
    mask in 16 bits and no reordered copies (scripts/record_llamacpp_cpu.py)."""
    newest = version >= _FEW_LOGITS_SINCE
    inner = (a.moe_intermediate_size or 0) * a.num_experts_per_tok
    outputs = a.hidden_size * a.num_experts_per_tok
    feed_forward = inner + outputs if a.n_routed_experts else 3 * (a.intermediate_size or 0)
    attention = 3 * a.num_attention_heads * head_dim(a) if not a.kv_lora_rank else 0
    if a.kv_lora_rank and version >= _LATENT_SINCE:
        rope, latent = a.qk_rope_head_dim or 0, a.kv_lora_rank
        attention = a.num_attention_heads * ((a.qk_nope_head_dim or 0) + 3 * rope + 5 * latent)
        if newest:
            attention -= a.num_attention_heads * (3 * latent - (a.v_head_dim or 0))
    elif a.kv_lora_rank:
        # Heads of unequal widths had no flash attention: scores of every head and cell.
        attention = a.num_attention_heads * cells
    return _MICRO_BATCH * (4.0 * (max(feed_forward, attention) + a.hidden_size) + (2.0 if newest else 6.0) * cells)
