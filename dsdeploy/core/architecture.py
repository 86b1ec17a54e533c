"""A model's shape, as its `config.json` states it: what weights, KV cache and speed are computed from."""

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Architecture:
    """Field names are those of Hugging Face `config.json`; None (or empty) where the model has no such part.

    `architectures` names the model class (e.g. DeepseekV3ForCausalLM). `compress_ratios` (V4): one entry per layer, 0 is
    full sliding-window attention, 4 is CSA, 128 is HCA. `quantization_config` is the native one, None for plain bf16.
    """

    architectures: tuple[str, ...]
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    intermediate_size: int | None = None
    head_dim: int | None = None
    max_position_embeddings: int | None = None
    tie_word_embeddings: bool = False
    torch_dtype: str = "bfloat16"
    quantization_config: dict[str, Any] | None = None
    num_nextn_predict_layers: int = 0
    qkv_bias: bool = False
    qk_norm: bool = False
    moe_intermediate_size: int | None = None
    first_k_dense_replace: int = 0
    n_routed_experts: int = 0
    n_shared_experts: int = 0
    num_experts_per_tok: int = 0
    n_group: int | None = None
    topk_group: int | None = None
    q_lora_rank: int | None = None
    kv_lora_rank: int | None = None
    qk_nope_head_dim: int | None = None
    qk_rope_head_dim: int | None = None
    v_head_dim: int | None = None
    index_n_heads: int | None = None
    index_head_dim: int | None = None
    index_topk: int | None = None
    compress_ratios: tuple[int, ...] = ()
    sliding_window: int | None = None
    num_hash_layers: int | None = None
    o_groups: int | None = None
    o_lora_rank: int | None = None
    hc_mult: int | None = None
    expert_dtype: str | None = None
    fp4_group_size: int | None = None

    @property
    def name(self) -> str:
        return self.architectures[0]


def from_config(config: dict[str, Any]) -> Architecture:
    """The shape in a catalogue entry or a Hugging Face `config.json`; keys it does not know are passed over.

    Raises KeyError for a key that no model can do without.
    """
    known = {}
    for field in fields(Architecture):
        value = config.get(field.name)
        if value is not None:
            known[field.name] = tuple(value) if isinstance(value, list) else value
    for name in ("architectures", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"):
        if name not in known:
            raise KeyError(name)
    known.setdefault("num_key_value_heads", known["num_attention_heads"])
    return Architecture(**known)
