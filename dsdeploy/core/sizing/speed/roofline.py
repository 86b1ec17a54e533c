"""One forward pass on the busiest rank: operations follow one another, each as slow as its memory traffic or its
arithmetic.

Inside one kernel loads overlap arithmetic, so an operation takes the greater of the two (Williams, Waterman and
Patterson, 'Roofline', CACM 2009); operations of one layer depend on each other, so their times add up, and so do those
of layers.
"""

from dataclasses import dataclass

from dsdeploy.core.sizing.speed.clock import Clock
from dsdeploy.core.sizing.speed.engines import EngineProfile, graph_sequences
from dsdeploy.core.sizing.speed.shape import Shape, attention_work
from dsdeploy.core.sizing.speed.values import SpeedRequest

# Kernels of one layer in a fused forward pass (norms, quantisation, products, rotary embedding, cache write, attention
# with its split reduction; gate, top-k, sorting, grouped products, activation, combination), counted in SGLang's
# DeepseekV2DecoderLayer.
_KERNELS_GQA, _KERNELS_MLA, _KERNELS_INDEXER, _KERNELS_HYPER = 8, 15, 15, 12
_KERNELS_MLP, _KERNELS_MOE = 4, 14
# Bytes per hidden value that norms, residuals, quantisation and collectives read and write around one layer's products.
_ELEMENTWISE_BYTES = 24
# Bytes per hidden value and chosen expert: the gathered FP8 input, and the output written and summed.
_PERMUTE_BYTES = 5
# Rows of the smallest tile of a grouped product (Marlin, Triton fused MoE): a started tile costs as much as a full one.
_TILE = 16


@dataclass(frozen=True, slots=True)
class Pass:
    """What goes through the model at once: `tokens` and `sequences` per attention replica, and their mean context."""

    tokens: float
    sequences: float
    context: float
    prefill: bool


def cache_value_bytes(request: SpeedRequest) -> float:
    if not request.kv_cache_dtype.startswith("fp8"):
        return 2.0
    # `fp8_ds_mla`: 656 bytes for 576 values (FlashMLA README).
    return 656 / 576 if request.architecture.index_topk else 1.0


def time_pass(request: SpeedRequest, shape: Shape, engine: EngineProfile, work: Pass, explain: bool) -> Clock:
    """The seconds of one pass, and where they are explained the reasons behind them."""
    assert request.accelerator is not None
    clock = Clock(request.accelerator, explain)
    tp, ranks = request.tp, request.tp * request.dp
    every = work.tokens * request.dp
    arch, layers, moe = request.architecture, shape.layers, shape.moe_layers

    weights = request.weights
    split = shape.attention_split / tp + shape.attention_copied
    clock.product("attention weights", weights.attention, layers * split, work.tokens)
    core = attention_work(arch, work.context, tp, cache_value_bytes(request), work.prefill, engine.absorbed)
    queries = layers * work.tokens
    scale = 1.0 if work.prefill else engine.attention
    clock.attention("attention cache", queries * core.read_bytes, queries * core.operations, scale)
    if core.indexer_operations:
        clock.indexer("indexer", queries * core.indexer_bytes, queries * core.indexer_operations)
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
    vendor = request.accelerator.vendor if request.accelerator else None
    captured = graph_sequences(request.engine, ranks, vendor)
    graphed = request.cuda_graphs and not work.prefill and work.sequences <= captured
    clock.launches(kernels * engine.kernels, None if graphed else engine.launch_s)
    clock.fixed("host per step", 1, engine.host_step_s)
    drafted = 1.0 if work.prefill else work.tokens / work.sequences
    on_node = work.sequences * max(1.0, request.dp / request.nodes)
    clock.fixed("host per sequence", on_node * drafted, engine.host_sequence_s)
    if request.two_batch_overlap:
        clock.overlap("expert exchange")
    return clock


def _attention_kernels(request: SpeedRequest) -> int:
    a = request.architecture
    kernels = _KERNELS_MLA if a.kv_lora_rank or a.compress_ratios else _KERNELS_GQA
    return kernels + (_KERNELS_INDEXER if a.index_topk else 0) + (_KERNELS_HYPER if a.hc_mult else 0)


def distinct_experts(experts: int, chosen: int, tokens: float) -> float:
    """How many of the experts at least one of `tokens` is sent to, when each chooses `chosen` of them evenly."""
    return experts * (1.0 - float((1 - chosen / experts) ** tokens))


def _time_experts(clock: Clock, request: SpeedRequest, shape: Shape, engine: EngineProfile, tokens: float) -> None:
    ranks, used = request.tp * request.dp, request.weights.experts
    distinct = distinct_experts(shape.experts, shape.active_experts, tokens)
    per_expert = tokens * shape.active_experts / distinct
    padded = distinct * max(_TILE, per_expert + _TILE / 2)
    bytes_ = shape.moe_layers * distinct * shape.expert / ranks * used.bits / 8
    operations = 2 * shape.moe_layers * padded * shape.expert / ranks
    weight_only = used.bits < 8 and used.number_type in ("bf16", "fp16")
    efficiency = engine.weight_only_experts if weight_only else 1.0
    clock.grouped("routed experts", used, bytes_, operations, efficiency, even=request.ep == 1)


def _time_links(clock: Clock, request: SpeedRequest, shape: Shape, work: Pass, every: float) -> None:
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
