"""What vLLM holds for one step of DeepSeek-V4, counted buffer by buffer.

Source: vLLM 0.22, `vllm/models/deepseek_v4/attention.py` and `nvidia/model.py` (their profiled step runs the same
allocations), `model_executor/layers/sparse_attn_indexer.py`, `fused_moe/experts/marlin_moe.py` and
`v1/worker/workspace.py`. 0.26 and 0.32 keep the padded heads, the workspace and the indexer's reserve.
"""

from dsdeploy.core.architecture import Architecture

_MIB = 1 << 20
# FlashMLA's FP8 decode takes 64 or 128 query heads: fewer are padded (`get_padded_num_q_heads`).
_PADDED_HEADS = 64
INDEXER_RESERVE_BYTES = 512 * _MIB  # VLLM_SPARSE_INDEXER_MAX_LOGITS_MB, held once in the profiled step
_PREFILL_CHUNK = 4  # requests whose gathered keys are attended together (`PREFILL_CHUNK_SIZE`)
_GATHER_FACTOR = 40  # `get_max_prefill_buffer_size`: entries of the indexer's gather for each token of context


def attention_bytes(a: Architecture, split: int, tokens: int) -> float:
    """A layer with an indexer, while that runs: the residual streams and the layer's input, padded queries and
    outputs, the joint projection and its normalised halves, the compressors' float32 scores, the indexer's queries in
    16 bits and FP8. Before it, padding holds the unpadded queries too."""
    width, heads = a.head_dim or 0, a.num_attention_heads // split
    padded = _PADDED_HEADS if heads <= _PADDED_HEADS else 2 * _PADDED_HEADS
    index_heads, index_width = a.index_n_heads or 0, a.index_head_dim or 0
    streams = 2 * a.hidden_size * ((a.hc_mult or 1) + 1)
    joint = 2 * 2 * ((a.q_lora_rank or 0) + width)
    scores = 2 * 2 * (width + index_width) * 4
    queries = max(2 * padded * width + 3 * index_heads * index_width, 2 * (padded + heads) * width)
    return tokens * (streams + 2 * padded * width + joint + scores + queries) + INDEXER_RESERVE_BYTES


def workspace_bytes(a: Architecture, expert_split: int, tokens: int, longest: int) -> float:
    """The one buffer that all layers share and that stays: Marlin's two caches of chosen experts, the keys gathered
    for attention or for the indexer, whichever is largest. `expert_split` is into how many slices each expert is cut.
    """
    experts = experts_bytes(a, expert_split, tokens)
    gathered = 2 * _PREFILL_CHUNK * (longest // 4 + (a.sliding_window or 0) + tokens) * (a.head_dim or 0)
    indexed = _GATHER_FACTOR * longest // 4 * ((a.index_head_dim or 0) + 4)
    return float(max(experts, gathered, indexed))


def experts_bytes(a: Architecture, expert_split: int, tokens: int) -> float:
    """What the experts' kernels work in, in 16 bits: a row for each token's each expert, before and behind its gate."""
    inner, hidden = (a.moe_intermediate_size or 0) / expert_split, a.hidden_size
    return 2.0 * tokens * a.num_experts_per_tok * (max(inner, hidden) + max(2 * inner, hidden))


def resident_bytes(a: Architecture, tokens: int) -> float:
    """What is allocated with the weights: float32 rotary tables of every position, one for each of the two bases;
    the indexer's choices; the residual streams that a draft would read."""
    tables = 2 * (a.max_position_embeddings or 0) * (a.qk_rope_head_dim or 0) * 4
    return float(tables + tokens * ((a.index_topk or 0) * 4 + (a.hc_mult or 1) * a.hidden_size * 2))
