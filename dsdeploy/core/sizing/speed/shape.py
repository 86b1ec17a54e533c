"""Weights and operations per layer, counted from the architecture: what one token costs on any hardware."""

from dataclasses import dataclass

from dsdeploy.core.architecture import Architecture


@dataclass(frozen=True, slots=True)
class Shape:
    """Parameters of one layer by how they are split, and what attention does with one cached row.

    `attention_split` weights are divided by tensor parallelism, `attention_copied` ones sit on every rank.
    """

    layers: int
    dense_layers: int
    hidden: int
    attention_split: int
    attention_copied: int
    dense_mlp: int
    shared_experts: int
    expert: int
    experts: int
    active_experts: int
    head: int

    @property
    def moe_layers(self) -> int:
        return self.layers - self.dense_layers


def shape_of(architecture: Architecture) -> Shape:
    a = architecture
    split, copied = _attention_parameters(a)
    experts = a.n_routed_experts
    return Shape(
        layers=a.num_hidden_layers,
        dense_layers=a.first_k_dense_replace if experts else a.num_hidden_layers,
        hidden=a.hidden_size,
        attention_split=split,
        attention_copied=copied,
        dense_mlp=3 * a.hidden_size * (a.intermediate_size or 0),
        shared_experts=3 * a.hidden_size * (a.moe_intermediate_size or 0) * a.n_shared_experts,
        expert=3 * a.hidden_size * (a.moe_intermediate_size or 0),
        experts=experts,
        active_experts=a.num_experts_per_tok,
        head=a.vocab_size * a.hidden_size,
    )


def head_dim(architecture: Architecture) -> int:
    return architecture.head_dim or architecture.hidden_size // architecture.num_attention_heads


def _attention_parameters(a: Architecture) -> tuple[int, int]:
    """(split over ranks, copied to each): MLA's and V4's down-projections feed a latent that each rank needs whole."""
    indexer = 0
    if a.index_n_heads and a.index_head_dim:
        indexer = a.index_n_heads * a.index_head_dim * (a.q_lora_rank or a.hidden_size)
        indexer += a.hidden_size * (a.index_head_dim + a.index_n_heads)
    heads = a.num_attention_heads
    if a.kv_lora_rank:
        nope, rope, value = a.qk_nope_head_dim or 0, a.qk_rope_head_dim or 0, a.v_head_dim or 0
        up = heads * (a.kv_lora_rank * (nope + value) + value * a.hidden_size)
        up += (a.q_lora_rank or a.hidden_size) * heads * (nope + rope)
        down = a.hidden_size * (a.kv_lora_rank + rope + (a.q_lora_rank or 0))
        return up, down + indexer
    if a.o_lora_rank and a.o_groups and a.q_lora_rank:
        width = heads * head_dim(a)
        up = a.q_lora_rank * width + width * a.o_lora_rank + a.o_groups * a.o_lora_rank * a.hidden_size
        return up, a.hidden_size * (a.q_lora_rank + head_dim(a)) + indexer // 2
    width = head_dim(a)
    return a.hidden_size * width * (2 * heads + 2 * a.num_key_value_heads), indexer


@dataclass(frozen=True, slots=True)
class AttentionWork:
    """One layer, one query token, one rank: cache bytes read, operations on them, and the same of the indexer."""

    read_bytes: float
    operations: float
    indexer_bytes: float = 0.0
    indexer_operations: float = 0.0


# Tensor-core attention works on tiles of 64 query rows: a rank with fewer heads pads up to it.
# FlashMLA README, sparse kernels: H in {64, 128}; vLLM pads V3.2's heads to 64 for them.
QUERY_TILE = 64
# DeepSeek-V3.2's indexer key: 128 FP8 values and one F32 scale (DeepGEMM, `fp8_mqa_logits`).
_INDEX_ROW_BYTES = 132
# Scores of the indexer are written in F32, then read twice by the top-k selection.
_INDEX_SCORE_BYTES = 12


def attention_work(
    a: Architecture, context: float, tp: int, cache_bytes: float, prefill: bool, absorbed: bool = True
) -> AttentionWork:
    """The mean over layers of what one query token does with `context` earlier tokens.

    `cache_bytes` is the width of one cached value. `absorbed` False is an engine that stores full keys and values for
    MLA.
    """
    heads = max(1, a.num_attention_heads // tp)
    if a.kv_lora_rank:
        rope, nope, value = a.qk_rope_head_dim or 0, a.qk_nope_head_dim or 0, a.v_head_dim or 0
        row = (a.kv_lora_rank + rope) * cache_bytes
        latent_operations = 2 * (2 * a.kv_lora_rank + rope)
        if a.index_topk and a.index_n_heads and a.index_head_dim:
            chosen, padded = min(context, a.index_topk), max(heads, QUERY_TILE)
            scoring = 2 * a.index_n_heads * a.index_head_dim * context
            scanned = _INDEX_SCORE_BYTES * context + (0 if prefill else _INDEX_ROW_BYTES * context)
            return AttentionWork(0 if prefill else row * chosen, padded * latent_operations * chosen, scanned, scoring)
        if prefill:
            return AttentionWork(0, heads * 2 * (nope + rope + value) * context)
        if not absorbed:
            full = heads * (nope + rope + value)
            return AttentionWork(full * cache_bytes * context, 2 * full * context)
        return AttentionWork(row * context, max(heads, QUERY_TILE) * latent_operations * context)
    if a.compress_ratios:
        return _compressed_work(a, context, heads, cache_bytes, prefill)
    width, kv_heads = head_dim(a), max(1, a.num_key_value_heads // tp)
    return AttentionWork(0 if prefill else 2 * kv_heads * width * cache_bytes * context, 4 * heads * width * context)


def _compressed_work(a: Architecture, context: float, heads: int, cache_bytes: float, prefill: bool) -> AttentionWork:
    """V4: a window of recent tokens, plus the chosen rows (ratio 4) or all rows (ratio 128) of the compressed past."""
    width, window = head_dim(a), min(context, a.sliding_window or 0)
    rows = indexed = 0.0
    for ratio in a.compress_ratios[: a.num_hidden_layers]:
        past = context / ratio if ratio else 0.0
        if ratio == 4:
            indexed += past
            past = min(past, a.index_topk or past)
        rows += window + past
    rows, indexed = rows / a.num_hidden_layers, indexed / a.num_hidden_layers
    scoring = 2 * (a.index_n_heads or 0) * (a.index_head_dim or 0) * indexed
    scanned = _INDEX_SCORE_BYTES * indexed + (0 if prefill else _INDEX_ROW_BYTES * indexed)
    read = 0 if prefill else width * cache_bytes * rows
    return AttentionWork(read, max(heads, QUERY_TILE) * 4 * width * rows, scanned, scoring)
