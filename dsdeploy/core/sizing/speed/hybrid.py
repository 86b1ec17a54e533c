"""llama.cpp: layers run one after another, on the device or in the host's memory, wherever their weights live."""

from dsdeploy.core.band import Band
from dsdeploy.core.sizing.speed.clock import number_rate
from dsdeploy.core.sizing.speed.constants import CACHE_STREAM, KERNEL, PRODUCT, WEIGHT_STREAM, Constant
from dsdeploy.core.sizing.speed.engines import llama_cpp_absorbs
from dsdeploy.core.sizing.speed.roofline import cache_value_bytes, distinct_experts
from dsdeploy.core.sizing.speed.shape import Shape, attention_work, shape_of
from dsdeploy.core.sizing.speed.values import Bound, SpeedEstimate, SpeedRequest, Term, bound_of

# Share of the host's memory bandwidth that quantised matrix-vector products reach, unpacking included.
_HOST_STREAM = Constant(
    0.3,
    0.5,
    0.75,
    "KTransformers 0.2.0 report: llama.cpp at a third of one socket's DDR5; Tencent Xlab, March 2025: over half",
)
# Graph nodes of one layer on the host: threads meet at a barrier after each.
_HOST_NODE = Constant(15e-6, 8e-6, 4e-6, "assumed: ggml's threads meet at one barrier per graph node")
_NODES_PER_LAYER = 40
# Tokens of one ubatch, `--ubatch-size`.
_UBATCH = 512


def predict_hybrid(request: SpeedRequest) -> SpeedEstimate:
    """A layer split keeps one device busy at a time, so more devices add memory, not speed, to one user's decode.

    The host's arithmetic is not counted in decode: for many users the totals are upper bounds there.
    """
    shape, users = shape_of(request.architecture), request.concurrency
    context = request.prompt_tokens + request.output_tokens / 2
    device_bytes, host_bytes = _weight_bytes(request, shape, users)
    core = attention_work(
        request.architecture, context, 1, cache_value_bytes(request), False, llama_cpp_absorbs(request.engine_version)
    )
    cache = shape.layers * users * (core.read_bytes + core.indexer_bytes)
    terms: dict[str, Term] = {}
    steps = [0.0, 0.0, 0.0]

    def add(name: str, amount: float, constant: Constant, bound: Bound, per: float = 1.0, share: bool = True) -> None:
        for level, value in enumerate((constant.low, constant.expected, constant.high)):
            seconds = amount / per / value if share else amount * value
            steps[level] += seconds
            if level == 1:
                terms[name] = Term(seconds, bound, constant.source)

    spec, host_bytes_per_s = request.accelerator, request.host_memory_bytes_per_s
    on_host = request.host_share * shape.layers
    # The cache lies with its layer's attention.
    host_cache = 0.0 if request.host_experts_first else request.host_share * cache
    if spec is not None and spec.memory_bytes_per_s:
        add("device weights", device_bytes, WEIGHT_STREAM, "memory", spec.memory_bytes_per_s)
        add("device cache", cache - host_cache, CACHE_STREAM, "memory", spec.memory_bytes_per_s)
        floor = KERNEL.get(spec.vendor, KERNEL["other"])
        add("kernel launches", (shape.layers - on_host) * _NODES_PER_LAYER, floor, "overhead", share=False)
    if host_bytes and host_bytes_per_s:
        add("host weights", host_bytes, _HOST_STREAM, "memory", host_bytes_per_s)
        add("host cache", host_cache, _HOST_STREAM, "memory", host_bytes_per_s)
        add("host barriers", on_host * _NODES_PER_LAYER, _HOST_NODE, "overhead", share=False)
    prompt, out = _prompt_seconds(request, shape), request.output_tokens
    per_user, total = Band(*(1 / step for step in steps)), Band(*(users / step for step in steps))
    if prompt is None:
        return SpeedEstimate(per_user, total, None, None, None, None, terms, bound_of(terms))
    pairs = list(zip(steps, prompt, strict=True))
    return SpeedEstimate(
        per_user,
        total,
        Band(*(out / (out * step / users + seconds) for step, seconds in pairs)),
        Band(*(request.prompt_tokens / seconds for seconds in prompt)),
        Band(*(seconds + step / 2 for step, seconds in pairs)),
        Band(*(users * seconds for seconds in prompt)),
        terms,
        bound_of(terms),
    )


def _weight_bytes(request: SpeedRequest, shape: Shape, tokens: float) -> tuple[float, float]:
    """(bytes read on devices, bytes read in host memory) in one pass of `tokens`; of the experts only the chosen."""
    formats = request.weights
    hit = distinct_experts(shape.experts, shape.active_experts, tokens) if shape.experts else 0.0
    attention = shape.layers * (shape.attention_split + shape.attention_copied) * formats.attention.bits / 8
    dense = (shape.dense_layers * shape.dense_mlp + shape.moe_layers * shape.shared_experts) * formats.dense.bits / 8
    experts = shape.moe_layers * hit * shape.expert * formats.experts.bits / 8
    head = shape.head * formats.head.bits / 8
    if request.host_experts_first:
        away = min(1.0, request.host_share) * experts
        return attention + dense + head + experts - away, away
    away = request.host_share * (attention + dense + experts + head)
    return attention + dense + experts + head - away, away


def _prompt_seconds(request: SpeedRequest, shape: Shape) -> list[float] | None:
    """Per level, or None where the host's arithmetic is unknown.

    With a device, llama.cpp copies host weights over PCIe for each ubatch and multiplies there (ggml `op_offload`).
    """
    formats, tokens = request.weights, min(_UBATCH, request.prompt_tokens)
    passes = request.prompt_tokens / tokens
    active = shape.layers * (shape.attention_split + shape.attention_copied) + shape.dense_layers * shape.dense_mlp
    active += shape.moe_layers * (shape.shared_experts + shape.active_experts * shape.expert)
    core = attention_work(request.architecture, request.prompt_tokens / 2, 1, 2.0, prefill=True)
    operations = tokens * (2 * active + shape.layers * core.operations)
    device_bytes, host_bytes = _weight_bytes(request, shape, tokens)
    spec, product = request.accelerator, PRODUCT["bf16"]
    if spec is None:
        if not request.host_flops_per_s:
            return None
        return [passes * operations / request.host_flops_per_s / share for share in (0.5, 0.75, 1.0)]
    rate, _ = number_rate(spec, formats.experts.number_type)
    copied = host_bytes / spec.pcie_bytes_per_s if host_bytes and spec.pcie_bytes_per_s else 0.0
    read = device_bytes / (spec.memory_bytes_per_s or 1.0)
    return [
        passes * (copied / share + max(read / share, operations / rate / (reached / 2)))
        for share, reached in zip((0.5, 0.7, 0.85), (product.low, product.expected, product.high), strict=True)
    ]
