"""Bytes of KV cache that one token takes in one layer on one rank, as each engine lays it out."""

from dsdeploy.core.architecture import Architecture
from dsdeploy.core.sizing.parameters import head_dim

# vLLM began to cache MLA's latent in 0.7.1; before it stored every head's key and value, padded to 256
# (vllm/attention/backends and DeepseekV2Attention of v0.6: `torch.nn.functional.pad(v, [0, 256 - v_head_dim])`).
VLLM_LATENT_SINCE = (0, 7, 1)
VLLM_PADDED_HEAD = 256
# llama.cpp caches the latent since pull request 12801 (April 2025, build 5153).
_INDEX_ROW_BYTES = 132  # 128 FP8 values and a float32 scale: DeepGEMM fp8_mqa_logits
_V4_ROW_BYTES = 584  # fp8_ds_mla of V4: 448 FP8, 64 bf16, 7 scale bytes and one of padding
_V41_ROW_BYTES = 528  # V4.1's MXFP8: 512 values and a scale for each 32 (vllm/models/deepseek_v41 of 0.32)
_V3_SPARSE_FP8_ROW_BYTES = 656  # fp8_ds_mla: 512 FP8, 4 float32 scales, 64 bf16
_TYPE_BYTES = {
    "auto": 2.0, "bf16": 2.0, "f16": 2.0, "fp16": 2.0, "bfloat16": 2.0, "float16": 2.0, "f32": 4.0,
    "fp8": 1.0, "fp8_e4m3": 1.0, "fp8_e5m2": 1.0, "fp8_ds_mla": 1.0, "int8": 1.0,
    "q8_0": 34 / 32, "q6_0": 26 / 32, "q5_1": 24 / 32, "q5_0": 22 / 32, "q4_1": 20 / 32, "q4_0": 18 / 32,
    "iq4_nl": 18 / 32,
}  # fmt: skip


def cache_types() -> tuple[str, ...]:
    return tuple(_TYPE_BYTES)


def value_bytes(cache_type: str) -> float:
    """Raises KeyError for a type that no engine knows."""
    return _TYPE_BYTES[cache_type.lower()]


def layer_token_bytes(a: Architecture, cache_type: str, tensor_parallel: int, *, latent: bool = True) -> float:
    """One token in one layer on one rank; for V4 the mean over layers of what grows with the context, which V4.1 caches
    only at its source layers.

    Grouped heads are shared out until ranks outnumber them; MLA's latent is one head, so it is whole on every rank.
    `latent` False is an engine that stores MLA's full keys and values.
    """
    width = value_bytes(cache_type)
    if a.kv_source_layer_ids:
        sources = [a.compress_ratios[layer] for layer in a.kv_source_layer_ids]
        return sum((_V41_ROW_BYTES + _INDEX_ROW_BYTES) / ratio for ratio in sources) / a.num_hidden_layers
    if a.compress_ratios:
        ratios = a.compress_ratios[: a.num_hidden_layers]
        rows = sum(_V4_ROW_BYTES / ratio for ratio in ratios if ratio)
        indexed = sum(_INDEX_ROW_BYTES / ratio for ratio in ratios if ratio == 4)
        return (rows + indexed) / a.num_hidden_layers
    if a.kv_lora_rank:
        rope = a.qk_rope_head_dim or 0
        if not latent:
            return 2 * max(1, a.num_attention_heads // tensor_parallel) * VLLM_PADDED_HEAD * width
        row = (a.kv_lora_rank + rope) * width
        if a.index_head_dim:
            return (_V3_SPARSE_FP8_ROW_BYTES if width == 1 else row) + _INDEX_ROW_BYTES
        return row
    return 2 * max(1, a.num_key_value_heads / tensor_parallel) * head_dim(a) * width


def sglang_token_bytes(a: Architecture) -> float:
    """One token of V4 or V4.1 over all layers in SGLang, which keeps a tenth as many window slots as tokens, and the
    ratio-4 compressors' float32 states with these: 8 rows for a page of 256 (sglang 0.5.23,
    srt/model_executor/pool_configurator.py, `DSV4PoolConfigurator`; the default `swa_full_tokens_ratio`)."""
    ratios = a.compress_ratios[: a.num_hidden_layers]
    sources = [ratios[layer] for layer in a.kv_source_layer_ids] or [ratio for ratio in ratios if ratio]
    width, index_width = head_dim(a), a.index_head_dim or 0
    states = ratios.count(4) * 2 * 2 * (width + index_width) * 4 * 8 / 256
    windows = 0.1 * (_V4_ROW_BYTES * len(ratios) + states)
    few_bits = index_width / 2 + index_width / 32  # V4.1's indexer rows are FP4
    index_row = {1: few_bits, 2: few_bits, 4: float(_INDEX_ROW_BYTES)}
    return windows + sum((_V4_ROW_BYTES + index_row.get(ratio, 0.0)) / ratio for ratio in sources)


def sequence_bytes(a: Architecture) -> float:
    """What one sequence takes whatever its length: V4's windows of recent tokens, one row a token in every layer."""
    if not a.compress_ratios:
        return 0.0
    row = _V41_ROW_BYTES if a.kv_source_layer_ids else _V4_ROW_BYTES
    return float((a.sliding_window or 0) * row * a.num_hidden_layers)
