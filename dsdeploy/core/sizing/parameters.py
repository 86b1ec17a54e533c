"""A model's tensors, counted from its shape: every matrix by name, how ranks share it, and whether quantisers touch it.

Sources: the checkpoints' own tensor lists (Hugging Face `model.safetensors.index.json` of DeepSeek-V2, V3, V3.2, the
distills and the Llama-shaped models); the totals are held against the published ones in a test.
"""

from dataclasses import dataclass, replace
from functools import cache
from math import ceil

from dsdeploy.core.architecture import Architecture

SPLIT, COPIED, EXPERT, VOCABULARY = "split", "copied", "expert", "vocabulary"
_BLOCK = 128


@dataclass(frozen=True, slots=True)
class Part:
    """`count` matrices of rows × columns. `share` says what ranks do with it: split over tensor parallelism, copied to
    each, split by experts, or split by vocabulary. `quantised` is whether a weight-only or FP8 quantiser covers it."""

    name: str
    rows: int
    columns: int
    share: str
    quantised: bool = True
    count: int = 1

    @property
    def elements(self) -> int:
        return self.rows * self.columns * self.count

    @property
    def blocks(self) -> int:
        """Scales of the 128 × 128 blocks of DeepSeek's FP8."""
        return ceil(self.rows / _BLOCK) * ceil(self.columns / _BLOCK) * self.count


@dataclass(frozen=True, slots=True)
class Parameters:
    """`layers` from the first to the last; `draft` is one multi-token-prediction layer with its own copies."""

    embedding: Part
    head: Part | None
    final_norm: Part
    layers: tuple[tuple[Part, ...], ...]
    draft: tuple[tuple[Part, ...], ...]

    def all(self, *, with_draft: bool) -> tuple[Part, ...]:
        ends = (self.embedding, self.final_norm, *((self.head,) if self.head else ()))
        layers = (*self.layers, *(self.draft if with_draft else ()))
        return (*ends, *(part for layer in layers for part in layer))


def head_dim(a: Architecture) -> int:
    return a.head_dim or a.hidden_size // a.num_attention_heads


def countable(a: Architecture) -> bool:
    """Whether the tensors are known one by one: V4's compressors, hyper-connections and Engram tables are not."""
    return not a.compress_ratios and not a.engram_layer_ids


def count_parameters(a: Architecture) -> Parameters:
    """Raises ValueError for a shape whose tensors are not known one by one."""
    return _count(a if a.quantization_config is None else replace(a, quantization_config=None))


@cache
def _count(a: Architecture) -> Parameters:
    if not countable(a):
        raise ValueError(a.name)
    embedding = Part("embedding", a.vocab_size, a.hidden_size, VOCABULARY, quantised=False)
    head = None if a.tie_word_embeddings else Part("head", a.vocab_size, a.hidden_size, VOCABULARY, quantised=False)
    norm = _norm("final norm", a.hidden_size)
    dense, sparse = _layer(a, moe=False), _layer(a, moe=True)
    layers = tuple(sparse if _is_moe(a, index) else dense for index in range(a.num_hidden_layers))
    extra = (
        _norm("enorm", a.hidden_size), _norm("hnorm", a.hidden_size), _norm("shared head norm", a.hidden_size),
        Part("eh_proj", a.hidden_size, 2 * a.hidden_size, COPIED, quantised=False),
        embedding, Part("head", a.vocab_size, a.hidden_size, VOCABULARY, quantised=False),
    )  # fmt: skip
    drafts = a.num_nextn_predict_layers
    draft = tuple((*(sparse if a.n_routed_experts else dense), *extra) for _ in range(drafts))
    return Parameters(embedding, head, norm, layers, draft)


def _is_moe(a: Architecture, index: int) -> bool:
    return a.n_routed_experts > 0 and index >= a.first_k_dense_replace


def _layer(a: Architecture, *, moe: bool) -> tuple[Part, ...]:
    norms = (_norm("input norm", a.hidden_size), _norm("post norm", a.hidden_size))
    mixing = _latent_attention(a) if a.kv_lora_rank else _grouped_attention(a)
    return (*norms, *mixing, *(_moe(a) if moe else _mlp("mlp", a.hidden_size, a.intermediate_size or 0, SPLIT)))


def _grouped_attention(a: Architecture) -> tuple[Part, ...]:
    width, heads, kv = head_dim(a), a.num_attention_heads, a.num_key_value_heads
    parts = [
        Part("q_proj", heads * width, a.hidden_size, SPLIT),
        Part("kv_proj", kv * width, a.hidden_size, SPLIT, count=2),
        Part("o_proj", a.hidden_size, heads * width, SPLIT),
    ]
    if a.qkv_bias:
        parts.append(Part("qkv bias", 1, (heads + 2 * kv) * width, SPLIT, quantised=False))
    if a.qk_norm:
        parts.append(_norm("qk norm", 2 * width))
    return tuple(parts)


def _latent_attention(a: Architecture) -> tuple[Part, ...]:
    """MLA: the down-projections feed a latent that every rank needs whole."""
    latent, rope, nope, value = a.kv_lora_rank or 0, a.qk_rope_head_dim or 0, a.qk_nope_head_dim or 0, a.v_head_dim or 0
    heads, hidden = a.num_attention_heads, a.hidden_size
    query = (
        (
            Part("q_a_proj", a.q_lora_rank, hidden, COPIED),
            _norm("q_a norm", a.q_lora_rank),
            Part("q_b_proj", heads * (nope + rope), a.q_lora_rank, SPLIT),
        )
        if a.q_lora_rank
        else (Part("q_proj", heads * (nope + rope), hidden, SPLIT),)
    )
    return (
        *query,
        Part("kv_a_proj", latent + rope, hidden, COPIED),
        _norm("kv_a norm", latent),
        Part("kv_b_proj", heads * (nope + value), latent, SPLIT),
        Part("o_proj", hidden, heads * value, SPLIT),
        *_indexer(a),
    )


def _indexer(a: Architecture) -> tuple[Part, ...]:
    """DeepSeek-V3.2's sparse attention chooser, the same on every rank."""
    if not (a.index_n_heads and a.index_head_dim):
        return ()
    return (
        Part("indexer wq_b", a.index_n_heads * a.index_head_dim, a.q_lora_rank or a.hidden_size, COPIED),
        Part("indexer wk", a.index_head_dim, a.hidden_size, COPIED),
        Part("indexer weights", a.index_n_heads, a.hidden_size, COPIED, quantised=False),
        _norm("indexer k norm", 2 * a.index_head_dim),
    )


def _moe(a: Architecture) -> tuple[Part, ...]:
    width = a.moe_intermediate_size or 0
    routed = (
        Part(one.name, one.rows, one.columns, EXPERT, count=one.count * a.n_routed_experts)
        for one in _mlp("experts", a.hidden_size, width, EXPERT)
    )
    shared = _mlp("shared experts", a.hidden_size, width * a.n_shared_experts, SPLIT) if a.n_shared_experts else ()
    has_bias = a.name.startswith(("DeepseekV3", "DeepseekV32"))
    bias = (Part("router bias", 1, a.n_routed_experts, COPIED, quantised=False),) if has_bias else ()
    return (*routed, *shared, Part("router", a.n_routed_experts, a.hidden_size, COPIED, quantised=False), *bias)


def _mlp(name: str, hidden: int, width: int, share: str) -> tuple[Part, ...]:
    return (Part(f"{name} up", width, hidden, share, count=2), Part(f"{name} down", hidden, width, share))


def _norm(name: str, width: int) -> Part:
    return Part(name, 1, width, COPIED, quantised=False)
