"""One forward pass on the busiest rank: operations follow one another, each as slow as its memory traffic or its
arithmetic.

Inside one kernel loads overlap arithmetic, so an operation takes the greater of the two (Williams, Waterman and
Patterson, 'Roofline', CACM 2009); operations of one layer depend on each other, so their times add up, and so do those
of layers.
"""

from dataclasses import dataclass

from dsdeploy.core.accelerators import AcceleratorSpec
from dsdeploy.core.sizing.speed.constants import (
    ATTENTION,
    CACHE_STREAM,
    COLLECTIVE,
    EAGER_KERNEL,
    GROUPED,
    IMBALANCE,
    KERNEL,
    LINK,
    PRODUCT,
    PRODUCT_BY_VENDOR,
    WEIGHT_STREAM,
    Constant,
)
from dsdeploy.core.sizing.speed.engines import EngineProfile
from dsdeploy.core.sizing.speed.shape import Shape, attention_work
from dsdeploy.core.sizing.speed.values import SpeedRequest, TensorFormat, Term

LEVELS = ("low", "expected", "high")
# Kernels of one layer in a fused forward pass (norms, quantisation, products, rotary embedding, cache write, attention
# with its split reduction; gate, top-k, sorting, grouped products, activation, combination), counted in SGLang's
# DeepseekV2DecoderLayer.
_KERNELS_GQA, _KERNELS_MLA, _KERNELS_INDEXER, _KERNELS_HYPER = 8, 15, 15, 12
_KERNELS_MLP, _KERNELS_MOE = 4, 14
# Bytes per hidden value that norms, residuals, quantisation and collectives read and write around one layer's products.
_ELEMENTWISE_BYTES = 24
# Bytes per hidden value and chosen expert: the gathered FP8 input, and the output written and summed.
_PERMUTE_BYTES = 5
# Share of an exchange that two-batch overlap leaves visible: SGLang blog 2025-05-05 gains 27 to 35 % where exchange
# took 40 %.
_NOT_HIDDEN = 0.2
# Rows of the smallest tile of a grouped product (Marlin, Triton fused MoE): a started tile costs as much as a full one.
_TILE = 16


@dataclass(frozen=True, slots=True)
class Pass:
    """What goes through the model at once: `tokens` and `sequences` per attention replica, and their mean context."""

    tokens: float
    sequences: float
    context: float
    prefill: bool


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds per level (low, expected, high) by operation, with what bounds it at the expected level."""

    seconds: dict[str, tuple[float, float, float]]
    terms: dict[str, Term]

    def total(self, level: int) -> float:
        return sum(values[level] for values in self.seconds.values())


def number_rate(accelerator: AcceleratorSpec, number_type: str) -> tuple[float, str]:
    """(operations per second, the type really used): a type the chip lacks is unpacked and computed in bf16 or fp16."""
    known = accelerator.dense_tflops
    used = next(kind for kind in (number_type, "bf16", "fp16") if known.get(kind))
    return known[used] * 1e12, used


def cache_value_bytes(request: SpeedRequest) -> float:
    if not request.kv_cache_dtype.startswith("fp8"):
        return 2.0
    # `fp8_ds_mla`: 656 bytes for 576 values (FlashMLA README).
    return 656 / 576 if request.architecture.index_topk else 1.0


def time_pass(request: SpeedRequest, shape: Shape, engine: EngineProfile, work: Pass) -> Timing:
    spec = request.accelerator
    assert spec is not None and spec.memory_bytes_per_s is not None
    clock = _Clock(spec)
    tp, ranks = request.tp, request.tp * request.dp
    every = work.tokens * request.dp
    arch, layers, moe = request.architecture, shape.layers, shape.moe_layers

    weights = request.weights
    split = shape.attention_split / tp + shape.attention_copied
    clock.product("attention weights", weights.attention, layers * split, work.tokens)
    core = attention_work(arch, work.context, tp, cache_value_bytes(request), work.prefill, engine.absorbed)
    clock.attention("attention cache", layers * work.tokens, core.read_bytes, core.operations, work, engine)
    if core.indexer_operations:
        clock.indexer("indexer", layers * work.tokens, core.indexer_bytes, core.indexer_operations)
    dense_ranks, dense_tokens = (ranks, every) if moe else (tp, work.tokens)
    dense = (shape.dense_layers * shape.dense_mlp + moe * shape.shared_experts) / dense_ranks
    clock.product("dense feed-forward", weights.dense, dense, dense_tokens)
    if moe:
        _time_experts(clock, request, shape, engine, every)
    clock.product("output head", weights.head, shape.head / tp, work.sequences)
    moved = layers * work.tokens * shape.hidden * _ELEMENTWISE_BYTES
    moved += moe * every * shape.hidden * shape.active_experts * _PERMUTE_BYTES / request.ep
    clock.stream("elementwise", moved)
    _time_links(clock, request, shape, work, every)
    kernels = layers * (_attention_kernels(request)) + moe * _KERNELS_MOE + shape.dense_layers * _KERNELS_MLP
    clock.launches(kernels * engine.kernels, eager=work.prefill or not request.cuda_graphs)
    clock.fixed("host per step", 1, engine.host_step_s)
    drafted = 1.0 if work.prefill else work.tokens / work.sequences
    on_node = work.sequences * max(1.0, request.dp / request.nodes)
    clock.fixed("host per sequence", on_node * drafted, engine.host_sequence_s)
    if request.two_batch_overlap:
        clock.overlap("expert exchange")
    return Timing(clock.seconds, clock.terms)


def _attention_kernels(request: SpeedRequest) -> int:
    a = request.architecture
    kernels = _KERNELS_MLA if a.kv_lora_rank or a.compress_ratios else _KERNELS_GQA
    return kernels + (_KERNELS_INDEXER if a.index_topk else 0) + (_KERNELS_HYPER if a.hc_mult else 0)


def distinct_experts(experts: int, chosen: int, tokens: float) -> float:
    """How many of the experts at least one of `tokens` is sent to, when each chooses `chosen` of them evenly."""
    return experts * (1.0 - float((1 - chosen / experts) ** tokens))


def _time_experts(clock: "_Clock", request: SpeedRequest, shape: Shape, engine: EngineProfile, tokens: float) -> None:
    ranks, used = request.tp * request.dp, request.weights.experts
    distinct = distinct_experts(shape.experts, shape.active_experts, tokens)
    per_expert = tokens * shape.active_experts / distinct
    padded = distinct * max(_TILE, per_expert + _TILE / 2)
    bytes_ = shape.moe_layers * distinct * shape.expert / ranks * used.bits / 8
    operations = 2 * shape.moe_layers * padded * shape.expert / ranks
    weight_only = used.bits < 8 and clock.type_of(used) in ("bf16", "fp16")
    efficiency = engine.weight_only_experts if weight_only else engine.experts
    clock.grouped("routed experts", used, bytes_, operations, efficiency, balanced=request.ep == 1)


def _time_links(clock: "_Clock", request: SpeedRequest, shape: Shape, work: Pass, every: float) -> None:
    """Tensor parallelism sums the hidden state after attention and after the feed-forward; data-parallel attention
    gathers and scatters it around the experts; whole experts across nodes exchange chosen tokens; stages send it once
    each.
    """
    tp, dp, ranks, hidden = request.tp, request.dp, request.tp * request.dp, shape.hidden * 2
    stage_nodes = max(1, request.nodes // request.pp)
    sums = shape.layers * ((tp > 1) + (tp > 1 and (dp == 1 or not shape.moe_layers)))
    if sums:
        clock.collective(
            "tensor-parallel sums", request, sums, sums * work.tokens * hidden * 2 * (tp - 1) / tp, stage_nodes > dp
        )
    if dp > 1 and shape.moe_layers:
        exchanges = 2 * shape.moe_layers
        if request.ep > 1 and stage_nodes > 1:
            # Dispatch in FP8, combine in bf16: 3 bytes per hidden value. Decode's low-latency kernels send a token once
            # per chosen expert, prefill's once per node, to be passed on over NVLink (DeepEP README); V3 limits nodes
            # by `topk_group`.
            copies = float(shape.active_experts)
            if work.prefill:
                limit = request.architecture.topk_group or stage_nodes
                copies = min(limit, distinct_experts(stage_nodes, 1, copies))
            moved = shape.moe_layers * work.tokens / tp * shape.hidden * 3 * copies * (stage_nodes - 1) / stage_nodes
        else:
            moved = exchanges * every * hidden * (ranks - 1) / ranks
        clock.collective("expert exchange", request, exchanges, moved, stage_nodes > 1)
    if request.pp > 1:
        clock.collective(
            "pipeline sends", request, request.pp - 1, (request.pp - 1) * work.tokens * hidden, request.nodes > 1
        )


class _Clock:
    """Adds up the seconds of each operation at the three levels."""

    __slots__ = ("memory", "seconds", "spec", "terms")

    def __init__(self, spec: AcceleratorSpec) -> None:
        self.spec, self.memory = spec, spec.memory_bytes_per_s or 0.0
        self.seconds: dict[str, tuple[float, float, float]] = {}
        self.terms: dict[str, Term] = {}

    def type_of(self, used: TensorFormat) -> str:
        return number_rate(self.spec, used.number_type)[1]

    def product(self, name: str, used: TensorFormat, weights: float, tokens: float) -> None:
        rate, kind = number_rate(self.spec, used.number_type)
        product = PRODUCT["bf16" if kind == "fp16" else kind]
        self._roof(name, weights * used.bits / 8, WEIGHT_STREAM, 1.0, 2 * weights * tokens / rate, product, 1.0)

    def grouped(
        self, name: str, used: TensorFormat, bytes_: float, operations: float, scale: float, balanced: bool
    ) -> None:
        rate, kind = number_rate(self.spec, used.number_type)
        product = PRODUCT["bf16" if kind == "fp16" else kind]
        skew = (1.0, 1.0, 1.0) if balanced else (IMBALANCE.low, IMBALANCE.expected, IMBALANCE.high)
        grouped = (GROUPED.low, GROUPED.expected, GROUPED.high)
        self._roof(
            name,
            bytes_,
            WEIGHT_STREAM,
            scale,
            operations / rate,
            product,
            scale,
            tuple(s / g for s, g in zip(skew, grouped, strict=True)),
            skew,
            GROUPED.source,
        )

    def attention(
        self, name: str, times: float, bytes_: float, operations: float, work: Pass, engine: EngineProfile
    ) -> None:
        rate, _ = number_rate(self.spec, "bf16")
        scale = 1.0 if work.prefill else engine.attention
        self._roof(name, times * bytes_, CACHE_STREAM, scale, times * operations / rate, ATTENTION, scale)

    def indexer(self, name: str, times: float, bytes_: float, operations: float) -> None:
        rate, kind = number_rate(self.spec, "fp8")
        self._roof(name, times * bytes_, CACHE_STREAM, 1.0, times * operations / rate, PRODUCT[kind], 1.0)

    def stream(self, name: str, bytes_: float) -> None:
        self._roof(name, bytes_, WEIGHT_STREAM, 1.0, 0.0, ATTENTION, 1.0)

    def fixed(self, name: str, times: float, constant: Constant) -> None:
        low, expected, high = times * constant.low, times * constant.expected, times * constant.high
        self.seconds[name] = (low, expected, high)
        self.terms[name] = Term(expected, "overhead", constant.source)

    def launches(self, kernels: float, eager: bool) -> None:
        """Without a graph the host launches ahead of the device: it shows where the device is done sooner."""
        floor = KERNEL.get(self.spec.vendor, KERNEL["other"])
        shown = [kernels * floor.low, kernels * floor.expected, kernels * floor.high]
        if eager:
            for level, launch in enumerate((EAGER_KERNEL.low, EAGER_KERNEL.expected, EAGER_KERNEL.high)):
                busy = sum(values[level] for values in self.seconds.values())
                shown[level] = max(shown[level], kernels * launch - busy)
        self.seconds["kernel launches"] = (shown[0], shown[1], shown[2])
        self.terms["kernel launches"] = Term(shown[1], "overhead", EAGER_KERNEL.source if eager else floor.source)

    def overlap(self, name: str) -> None:
        """Two half batches take turns: this term shows as far as it outlasts the device's other work."""
        if name not in self.seconds:
            return
        own = self.seconds[name]
        shown = []
        for level in range(3):
            busy = sum(
                values[level]
                for other, values in self.seconds.items()
                if other != name and not other.startswith("host")
            )
            shown.append(max(own[level] - busy, own[level] * _NOT_HIDDEN))
        self.seconds[name] = (shown[0], shown[1], shown[2])
        self.terms[name] = Term(shown[1], "communication", self.terms[name].source)

    def collective(self, name: str, request: SpeedRequest, times: float, bytes_: float, across: bool) -> None:
        """`bytes_` leave one device in all; `times` collectives each pay their latency."""
        spec = self.spec
        # Bridges that join fewer devices than take part leave the others to PCIe, and all wait for the slowest.
        bridged = spec.link_devices is None or request.tp * request.dp <= spec.link_devices * request.nodes
        linked = spec.link not in (None, "PCIe") and spec.link_bytes_per_s is not None and bridged
        kind = "pcie" if not linked else "nvlink" if spec.vendor == "nvidia" else "fabric"
        bandwidth = (spec.link_bytes_per_s if linked else spec.pcie_bytes_per_s or spec.link_bytes_per_s) or 0.0
        if across:
            kind, bandwidth = "network", request.internode_bytes_per_s or 0.0
        latency = COLLECTIVE[kind]
        wire = bytes_ / bandwidth
        found = tuple(
            times * wait + wire / share
            for wait, share in ((latency.low, LINK.low), (latency.expected, LINK.expected), (latency.high, LINK.high))
        )
        self.seconds[name] = (found[0], found[1], found[2])
        self.terms[name] = Term(found[1], "communication", f"{LINK.source}; {latency.source}")

    def _roof(
        self,
        name: str,
        bytes_: float,
        stream: Constant,
        stream_scale: float,
        ideal_s: float,
        product: Constant,
        product_scale: float,
        slower: tuple[float, ...] = (1.0, 1.0, 1.0),
        skew: tuple[float, ...] = (1.0, 1.0, 1.0),
        more: str = "",
    ) -> None:
        memory = bytes_ / self.memory / stream_scale
        product_scale *= PRODUCT_BY_VENDOR.get(self.spec.vendor, 1.0)
        arithmetic = ideal_s / product_scale
        low = max(memory * skew[0] / stream.low, arithmetic * slower[0] / product.low)
        high = max(memory * skew[2] / stream.high, arithmetic * slower[2] / product.high)
        loading, computing = memory * skew[1] / stream.expected, arithmetic * slower[1] / product.expected
        self.seconds[name] = (low, max(loading, computing), high)
        source = stream.source if loading >= computing else f"{product.source}; {more}" if more else product.source
        self.terms[name] = Term(max(loading, computing), "memory" if loading >= computing else "compute", source)
