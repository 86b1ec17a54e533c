"""A model's tensors, counted from its shape: every matrix by name, how ranks share it, and whether quantisers touch it.

Sources: the checkpoints' own tensor lists (Hugging Face `model.safetensors.index.json` of DeepSeek-V2, V3, V3.2, the
distills and the Llama-shaped models); the totals are held against the published ones in a test.
"""

from functools import cache

from dsdeploy.core.architecture import Architecture
from dsdeploy.core.sizing.hybrid_parameters import count_engram, count_hybrid
from dsdeploy.core.sizing.parts import COPIED, EXPERT, SPLIT, VOCABULARY, Parameters, Part, head_dim, mlp, norm, routed
from dsdeploy.core.sizing.vision import vision_parts

__all__ = [
    "COPIED", "EXPERT", "SPLIT", "VOCABULARY", "Parameters", "Part", "count_parameters", "countable", "head_dim"
]  # fmt: skip


def countable(a: Architecture) -> bool:
    """Whether the tensors are known one by one; Engram tables are only where their sizes are stated."""
    return len(a.engram_layer_ids) == len(a.engram_num_embeddings)


@cache
def count_elements(a: Architecture) -> int:
    """All weights but the draft layers'. Raises ValueError for a shape whose tensors are not known one by one."""
    return sum(part.elements for part in count_parameters(a).all(with_draft=False))


@cache
def count_parameters(a: Architecture) -> Parameters:
    """Raises ValueError for a shape whose tensors are not known one by one."""
    if not countable(a):
        raise ValueError(a.name)
    embedding = Part("embedding", a.vocab_size, a.hidden_size, VOCABULARY, quantised=False)
    head = None if a.tie_word_embeddings else Part("head", a.vocab_size, a.hidden_size, VOCABULARY, quantised=False)
    last = norm("final norm", a.hidden_size)
    if a.kv_source_layer_ids:
        return count_engram(a, embedding, head, last)
    if a.compress_ratios:
        return count_hybrid(a, embedding, head, last)
    dense, sparse = _layer(a, moe=False), _layer(a, moe=True)
    layers = tuple(sparse if _is_moe(a, index) else dense for index in range(a.num_hidden_layers))
    extra = (
        norm("enorm", a.hidden_size), norm("hnorm", a.hidden_size), norm("shared head norm", a.hidden_size),
        Part("eh_proj", a.hidden_size, 2 * a.hidden_size, COPIED, quantised=False),
        embedding, Part("head", a.vocab_size, a.hidden_size, VOCABULARY, quantised=False),
    )  # fmt: skip
    drafts = a.num_nextn_predict_layers
    draft = tuple((*(sparse if a.n_routed_experts else dense), *extra) for _ in range(drafts))
    return Parameters(embedding, head, last, layers, draft, vision_parts(a))


def _is_moe(a: Architecture, index: int) -> bool:
    return a.n_routed_experts > 0 and index >= a.first_k_dense_replace


def _layer(a: Architecture, *, moe: bool) -> tuple[Part, ...]:
    norms = (norm("input norm", a.hidden_size), norm("post norm", a.hidden_size))
    mixing = _latent_attention(a) if a.kv_lora_rank else _grouped_attention(a)
    return (*norms, *mixing, *(_moe(a) if moe else mlp("mlp", a.hidden_size, a.intermediate_size or 0, SPLIT)))


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
        parts.append(norm("qk norm", 2 * width))
    return tuple(parts)


def _latent_attention(a: Architecture) -> tuple[Part, ...]:
    """MLA: the down-projections feed a latent that every rank needs whole."""
    latent, rope, nope, value = a.kv_lora_rank or 0, a.qk_rope_head_dim or 0, a.qk_nope_head_dim or 0, a.v_head_dim or 0
    heads, hidden = a.num_attention_heads, a.hidden_size
    query = (
        (
            Part("q_a_proj", a.q_lora_rank, hidden, COPIED),
            norm("q_a norm", a.q_lora_rank),
            Part("q_b_proj", heads * (nope + rope), a.q_lora_rank, SPLIT),
        )
        if a.q_lora_rank
        else (Part("q_proj", heads * (nope + rope), hidden, SPLIT),)
    )
    return (
        *query,
        Part("kv_a_proj", latent + rope, hidden, COPIED),
        norm("kv_a norm", latent),
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
        norm("indexer k norm", 2 * a.index_head_dim),
    )


def _moe(a: Architecture) -> tuple[Part, ...]:
    has_bias = a.name.startswith(("DeepseekV3", "DeepseekV32"))
    bias = (Part("router bias", 1, a.n_routed_experts, COPIED, quantised=False, wide_bytes=4),) if has_bias else ()
    return (*routed(a, a.n_routed_experts), *bias)
