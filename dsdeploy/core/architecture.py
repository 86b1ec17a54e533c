"""A model's shape, as its `config.json` states it: what weights, KV cache and speed are computed from."""

import types
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from dsdeploy.core.errors import ConfigMalformed
from dsdeploy.core.texts import text


@dataclass(frozen=True, slots=True)
class Architecture:
    """Field names are those of Hugging Face `config.json`; None (or empty) where the model has no such part.

    `architectures` names the model class (e.g. DeepseekV3ForCausalLM). `compress_ratios` (V4): one entry per layer, 0
    is full sliding-window attention, 4 is CSA, 128 is HCA; the draft layers' entries may follow. `rope_factor` is
    that of a linear `rope_scaling`: vLLM takes such a model's context to be that many times `max_position_embeddings`.
    `quantization_config` is the native one, None for plain bf16.
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
    quantization_config: dict[str, Any] | None = field(default=None, hash=False)
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
    kv_source_layer_ids: tuple[int, ...] = ()
    index_source_layer_ids: tuple[int, ...] = ()
    engram_layer_ids: tuple[int, ...] = ()
    engram_num_embeddings: tuple[int, ...] = ()
    engram_head_dim: int | None = None
    engram_n_heads: int | None = None
    engram_max_ngram_size: int | None = None
    dspark_n_routed_experts: int = 0
    dspark_num_experts_per_tok: int = 0
    dspark_markov_rank: int | None = None
    dspark_target_layer_ids: tuple[int, ...] = ()
    rope_factor: float = 1.0
    vision_config: dict[str, Any] | None = field(default=None, hash=False)

    @property
    def name(self) -> str:
        return self.architectures[0]


_NEEDED = ("architectures", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
# What other families call the same thing.
_OTHER_NAMES = {"num_experts": "n_routed_experts", "num_local_experts": "n_routed_experts", "dtype": "torch_dtype"}
_LANGUAGE_PARTS = ("text_config", "language_config", "llm_config")


def from_config(config: dict[str, Any], place: str = "config.json") -> Architecture:
    """The shape in a catalogue entry or a Hugging Face `config.json`; keys it does not know are passed over.

    Of a model with several parts it is the language part. Raises ConfigMalformed, which names `place`, key and value.
    """
    content = _language_part(config, place)
    for other, name in _OTHER_NAMES.items():
        if content.get(other) is not None:
            content.setdefault(name, content[other])
    known = {
        name: _checked(kind, name, content[name], place)
        for name, kind in _kinds().items()
        if content.get(name) is not None
    }
    for name in _NEEDED:
        if name not in known:
            raise _malformed(place, name, None)
    known.setdefault("num_key_value_heads", known["num_attention_heads"])
    return Architecture(**_implied(known, content))


def _language_part(config: dict[str, Any], place: str) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name in _LANGUAGE_PARTS:
        part = config.get(name)
        if part is not None and not isinstance(part, dict):
            raise _malformed(place, name, part)
        nested |= part or {}
    # What the whole model says about itself goes before what its language part says.
    return nested | {key: value for key, value in config.items() if value is not None and key not in _LANGUAGE_PARTS}


def _implied(known: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    """What the model's class fixes and its `config.json` so leaves out (transformers: modeling_qwen2, _qwen3)."""
    name = known["architectures"][0]
    known.setdefault("qkv_bias", name.startswith("Qwen2") or bool(content.get("attention_bias")))
    known.setdefault("qk_norm", name.startswith("Qwen3"))
    if (known.get("quantization_config") or {}).get("expert_dtype"):
        known.setdefault("expert_dtype", known["quantization_config"]["expert_dtype"])
    rope = content.get("rope_scaling")
    if isinstance(rope, dict) and "linear" in (rope.get("type"), rope.get("rope_type")):
        known["rope_factor"] = float(rope.get("factor") or 1.0)
    if not known.get("kv_lora_rank"):
        known.setdefault("head_dim", known["hidden_size"] // known["num_attention_heads"])
    return known


@cache
def _kinds() -> dict[str, Any]:
    hints = get_type_hints(Architecture)
    return {one.name: hints[one.name] for one in fields(Architecture)}


def _checked(kind: Any, name: str, value: Any, place: str) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        kind = get_args(kind)[0]
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        if isinstance(value, list) and all(type(one) is item for one in value) and (value or name != "architectures"):
            return tuple(value)
    elif get_origin(kind) is dict:
        if isinstance(value, dict):
            return value
    elif type(value) is kind and not (kind is int and (value < 0 or (value == 0 and name in _NEEDED))):
        return value
    raise _malformed(place, name, value)


def _malformed(place: str, key: str, value: Any) -> ConfigMalformed:
    found = text("config-missing") if value is None else repr(value)[:80]
    return ConfigMalformed(
        text("config-malformed", place=place, key=key, found=found), hint=text("config-malformed-hint")
    )
