"""A model's tensors, counted from its shape: every matrix by name, how ranks share it, and whether quantisers touch it.

Sources: the checkpoints' own tensor lists (Hugging Face `model.safetensors.index.json` of DeepSeek-V2, V3, V3.2, the
distills and the Llama-shaped models); the totals are held against the published ones in a test.
"""

from dataclasses import dataclass, replace
from functools import cache
from math import ceil

from dsdeploy.core.architecture import Architecture

SPLIT, COPIED, EXPERT, VOCABULARY = "split", "copied", "expert", "vocabulary"
_MX_BLOCK = (32, 32)


@dataclass(frozen=True, slots=True)
class Part:
    """`count` matrices of rows × columns, with one FP8 scale for each `block` of them. `share` says what ranks do with
    it: split over tensor parallelism, copied to each, split by experts, or split by vocabulary. `quantised` is whether
    a weight-only or FP8 quantiser covers it; what it leaves takes `wide_bytes` an element."""

    name: str
    rows: int
    columns: int
    share: str
    quantised: bool = True
    count: int = 1
    wide_bytes: int = 2
    block: tuple[int, int] = (128, 128)

    @property
    def elements(self) -> int:
        return self.rows * self.columns * self.count

    @property
    def blocks(self) -> int:
        return ceil(self.rows / self.block[0]) * ceil(self.columns / self.block[1]) * self.count


@dataclass(frozen=True, slots=True)
class Parameters:
    """`layers` from the first to the last; `draft` is one multi-token-prediction layer with its own copies."""

    embedding: Part
    head: Part | None
    final_norm: Part
    layers: tuple[tuple[Part, ...], ...]
    draft: tuple[tuple[Part, ...], ...]
    vision: tuple[Part, ...] = ()

    def all(self, *, with_draft: bool) -> tuple[Part, ...]:
        ends = (self.embedding, self.final_norm, *((self.head,) if self.head else ()))
        layers = (*self.layers, *(self.draft if with_draft else ()))
        return (*ends, *self.vision, *(part for layer in layers for part in layer))


def head_dim(a: Architecture) -> int:
    return a.head_dim or a.hidden_size // a.num_attention_heads


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
    norm = _norm("final norm", a.hidden_size)
    if a.kv_source_layer_ids:
        return _count_engram(a, embedding, head, norm)
    if a.compress_ratios:
        return _count_hybrid(a, embedding, head, norm)
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
    has_bias = a.name.startswith(("DeepseekV3", "DeepseekV32"))
    bias = (Part("router bias", 1, a.n_routed_experts, COPIED, quantised=False, wide_bytes=4),) if has_bias else ()
    return (*_routed(a, a.n_routed_experts), *bias)


def _routed(a: Architecture, experts: int) -> tuple[Part, ...]:
    width = a.moe_intermediate_size or 0
    routed = (
        Part(one.name, one.rows, one.columns, EXPERT, count=one.count * experts)
        for one in _mlp("experts", a.hidden_size, width, EXPERT)
    )
    shared = _mlp("shared experts", a.hidden_size, width * a.n_shared_experts, SPLIT) if a.n_shared_experts else ()
    return (*routed, *shared, Part("router", experts, a.hidden_size, COPIED, quantised=False))


def _count_hybrid(a: Architecture, embedding: Part, head: Part | None, norm: Part) -> Parameters:
    """DeepSeek-V4: an attention of one shared head of keys and values, compressed by each layer's own ratio."""
    kinds = {
        (ratio, hashed): _hybrid_layer(a, ratio, hashed=hashed)
        for ratio in {0, *a.compress_ratios}
        for hashed in (True, False)
    }
    ratios = a.compress_ratios[: a.num_hidden_layers]
    layers = [kinds[ratio, index < (a.num_hash_layers or 0)] for index, ratio in enumerate(ratios)]
    ends = _hyper_connection_head(a)
    if a.dspark_markov_rank:
        draft = _dspark(a, kinds[0, False], ends)
        return Parameters(embedding, head, norm, (*layers[:-1], (*layers[-1], *ends)), draft, _vision(a))
    extra = (
        Part("draft projections", a.hidden_size, a.hidden_size, COPIED, count=2),
        *(_norm("draft norm", a.hidden_size) for _ in range(3)), *ends,
    )  # fmt: skip
    draft = tuple((*kinds[0, False], *extra) for _ in range(a.num_nextn_predict_layers))
    return Parameters(embedding, head, norm, (*layers[:-1], (*layers[-1], *ends)), draft)


def _count_engram(a: Architecture, embedding: Part, head: Part | None, norm: Part) -> Parameters:
    """DeepSeek-V4.1 (vllm/models/deepseek_v41 of 0.32): few layers compress, the others read what those cached; two
    layers look n-grams up; a second router bias is for images."""
    layers = tuple(_engram_layer(a, index) for index in range(a.num_hidden_layers))
    draft = _dspark(a, _engram_layer(a, None), ())
    return Parameters(embedding, head, norm, layers, draft, _vision(a))


def _engram_layer(a: Architecture, index: int | None) -> tuple[Part, ...]:
    """`index` None is a draft's block."""
    hidden, width, queries = a.hidden_size, head_dim(a), a.q_lora_rank or 0
    experts = a.n_routed_experts if index is not None else a.dspark_n_routed_experts
    parts = [
        _norm("input norm", hidden), _norm("post norm", hidden), _norm("q_a norm", queries), _norm("kv norm", width),
        *_hybrid_projections(a),
        *_routed(a, experts), Part("router bias", 2, experts, COPIED, quantised=False, wide_bytes=4),
        *_hyper_connections(a, 2),
    ]  # fmt: skip
    if index in a.kv_source_layer_ids:
        gated = 2 if a.compress_ratios[index or 0] > 1 else 1
        parts += [
            Part("compressor projections", width, hidden, COPIED, quantised=False, count=gated),
            _norm("compressor norm", width),
            Part("indexer wk", a.index_head_dim or 0, width, COPIED, quantised=False),
            _norm("indexer k norm", a.index_head_dim or 0),
        ]
    if index in a.index_source_layer_ids:
        heads, columns = a.index_n_heads or 0, a.index_head_dim or 0
        parts += [
            Part("indexer wq_b", heads * columns, queries, COPIED),
            Part("indexer weights", heads, hidden, COPIED, quantised=False),
        ]
    if index in a.engram_layer_ids:
        parts += _engram(a, a.engram_num_embeddings[a.engram_layer_ids.index(index or 0)])
    return tuple(replace(part, block=_MX_BLOCK) if part.block == (128, 128) else part for part in parts)


def _engram(a: Architecture, rows: int) -> tuple[Part, ...]:
    width, streams = a.engram_head_dim or 0, a.hc_mult or 1
    columns = ((a.engram_max_ngram_size or 1) - 1) * (a.engram_n_heads or 0) * width
    return (
        Part("engram table", rows, width, VOCABULARY, block=(1, 32)),
        Part("engram wkv", a.hidden_size * (streams + 1), columns, SPLIT),
        Part("engram gates", streams, a.hidden_size, COPIED, quantised=False, count=2),
    )


def _vision(a: Architecture) -> tuple[Part, ...]:
    """V4's tower and what joins it to the text (vllm/models/deepseek_v4/common/vision.py of 0.32)."""
    shape = a.vision_config or {}
    if "downsample_ratio" not in shape:
        return ()
    width, inner, layers = shape["hidden_size"], shape["intermediate_size"], shape["num_hidden_layers"]
    joined, hidden = width * shape["downsample_ratio"] ** 2, a.hidden_size

    def wide(name: str, rows: int, columns: int, share: str, count: int = 1) -> Part:
        return Part(name, rows, columns, share, quantised=False, count=count)

    return (
        wide("patches", width, 3 * shape["patch_size"] ** 2 + 1, COPIED),
        wide("vision attention", width, width + 1, SPLIT, 4 * layers),
        wide("vision mlp", inner, width, SPLIT, 3 * layers),
        wide("vision norms", 1, width, COPIED, 2 * layers + 1),
        wide("aligner up", hidden, joined + 1, SPLIT), wide("aligner down", hidden, hidden + 1, SPLIT),
        wide("image marks", 3, hidden, COPIED),
    )  # fmt: skip


def _dspark(a: Architecture, block: tuple[Part, ...], ends: tuple[Part, ...]) -> tuple[tuple[Part, ...], ...]:
    """One block for each target layer; the first joins the targets' outputs, the last chooses: a low-rank table of
    which token follows which, and how sure (vllm/models/deepseek_v4/nvidia/dspark.py of 0.32)."""
    targets, rank, hidden = len(a.dspark_target_layer_ids) or 3, a.dspark_markov_rank or 0, a.hidden_size
    joined = next(part for part in block if part.name == "wq_a")
    first = (
        replace(joined, name="draft projections", rows=hidden, columns=targets * hidden),
        _norm("draft norm", hidden),
    )
    last = (
        _norm("draft norm", hidden), *ends,
        Part("markov tables", a.vocab_size, rank, COPIED, quantised=False, count=2),
        Part("confidence", 1, hidden + rank, COPIED, quantised=False),
    )  # fmt: skip
    return ((*block, *first), *(block for _ in range(targets - 2)), (*block, *last))


def _hybrid_layer(a: Architecture, ratio: int, *, hashed: bool) -> tuple[Part, ...]:
    width, hidden, queries = head_dim(a), a.hidden_size, a.q_lora_rank or 0
    routed = tuple(part for part in _moe(a) if not part.name.startswith("router bias"))
    router = (
        Part("router table", a.vocab_size, a.num_experts_per_tok, COPIED, quantised=False, wide_bytes=8)
        if hashed
        else Part("router bias", 1, a.n_routed_experts, COPIED, quantised=False, wide_bytes=4)
    )
    return (
        _norm("input norm", hidden), _norm("post norm", hidden), _norm("q_a norm", queries), _norm("kv norm", width),
        *_hybrid_projections(a),
        *(_compressor("compressor", a, ratio, width) if ratio else ()),
        *(_hybrid_indexer(a, ratio) if ratio == 4 else ()),
        *routed, router, *_hyper_connections(a, 2),
    )  # fmt: skip


def _hybrid_projections(a: Architecture) -> tuple[Part, ...]:
    width, heads, hidden = head_dim(a), a.num_attention_heads, a.hidden_size
    queries, groups, outputs = a.q_lora_rank or 0, a.o_groups or 1, a.o_lora_rank or 0
    return (
        Part("wq_a", queries, hidden, COPIED), Part("wq_b", heads * width, queries, SPLIT),
        Part("wkv", width, hidden, COPIED),
        Part("wo_a", groups * outputs, heads * width // groups, SPLIT),
        Part("wo_b", hidden, groups * outputs, SPLIT),
        Part("attention sink", 1, heads, SPLIT, quantised=False, wide_bytes=4),
    )  # fmt: skip


def _compressor(name: str, a: Architecture, ratio: int, width: int) -> tuple[Part, ...]:
    rows = (2 if ratio == 4 else 1) * width
    return (
        Part(f"{name} projections", rows, a.hidden_size, COPIED, quantised=False, count=2),
        Part(f"{name} positions", ratio, rows, COPIED, quantised=False, wide_bytes=4),
        _norm(f"{name} norm", width),
    )


def _hybrid_indexer(a: Architecture, ratio: int) -> tuple[Part, ...]:
    heads, width = a.index_n_heads or 0, a.index_head_dim or 0
    return (
        Part("indexer wq_b", heads * width, a.q_lora_rank or 0, COPIED),
        Part("indexer weights", heads, a.hidden_size, COPIED, quantised=False),
        *_compressor("indexer compressor", a, ratio, width),
    )


def _hyper_connections(a: Architecture, count: int) -> tuple[Part, ...]:
    streams = a.hc_mult or 0
    mixed = (2 + streams) * streams
    return (
        Part("hyper-connection", mixed, streams * a.hidden_size, COPIED, quantised=False, count=count, wide_bytes=4),
        Part("hyper-connection scales", 1, mixed + 3, COPIED, quantised=False, count=count, wide_bytes=4),
    )


def _hyper_connection_head(a: Architecture) -> tuple[Part, ...]:
    streams = a.hc_mult or 0
    return (
        Part("hyper-connection head", streams, streams * a.hidden_size, COPIED, quantised=False, wide_bytes=4),
        Part("hyper-connection head scales", 1, streams + 1, COPIED, quantised=False, wide_bytes=4),
    )


def _mlp(name: str, hidden: int, width: int, share: str) -> tuple[Part, ...]:
    return (Part(f"{name} up", width, hidden, share, count=2), Part(f"{name} down", hidden, width, share))


def _norm(name: str, width: int) -> Part:
    return Part(name, 1, width, COPIED, quantised=False)
