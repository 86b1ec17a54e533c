"""DeepSeek-V4's tensors, V4.1's and their DSpark drafts': an attention of one shared head, compressed by layer.

Sources: the checkpoints' totals, which come out to the byte; `vllm/models/deepseek_v4` and `deepseek_v41` of vLLM 0.32.
"""

from dataclasses import replace

from dsdeploy.core.architecture import Architecture
from dsdeploy.core.sizing.parts import COPIED, SPLIT, VOCABULARY, Parameters, Part, head_dim, norm, routed
from dsdeploy.core.sizing.vision import vision_parts

_MX_BLOCK = (32, 32)


def count_hybrid(a: Architecture, embedding: Part, head: Part | None, last: Part) -> Parameters:
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
        return Parameters(embedding, head, last, (*layers[:-1], (*layers[-1], *ends)), draft, vision_parts(a))
    extra = (
        Part("draft projections", a.hidden_size, a.hidden_size, COPIED, count=2),
        *(norm("draft norm", a.hidden_size) for _ in range(3)), *ends,
    )  # fmt: skip
    draft = tuple((*kinds[0, False], *extra) for _ in range(a.num_nextn_predict_layers))
    return Parameters(embedding, head, last, (*layers[:-1], (*layers[-1], *ends)), draft)


def count_engram(a: Architecture, embedding: Part, head: Part | None, last: Part) -> Parameters:
    """DeepSeek-V4.1 (vllm/models/deepseek_v41 of 0.32): few layers compress, the others read what those cached; two
    layers look n-grams up; a second router bias is for images."""
    layers = tuple(_engram_layer(a, index) for index in range(a.num_hidden_layers))
    draft = _dspark(a, _engram_layer(a, None), ())
    return Parameters(embedding, head, last, layers, draft, vision_parts(a))


def _engram_layer(a: Architecture, index: int | None) -> tuple[Part, ...]:
    """`index` None is a draft's block."""
    hidden, width, queries = a.hidden_size, head_dim(a), a.q_lora_rank or 0
    experts = a.n_routed_experts if index is not None else a.dspark_n_routed_experts
    parts = [
        norm("input norm", hidden), norm("post norm", hidden), norm("q_a norm", queries), norm("kv norm", width),
        *_hybrid_projections(a),
        *routed(a, experts), Part("router bias", 2, experts, COPIED, quantised=False, wide_bytes=4),
        *_hyper_connections(a, 2),
    ]  # fmt: skip
    if index in a.kv_source_layer_ids:
        gated = 2 if a.compress_ratios[index or 0] > 1 else 1
        parts += [
            Part("compressor projections", width, hidden, COPIED, quantised=False, count=gated),
            norm("compressor norm", width),
            Part("indexer wk", a.index_head_dim or 0, width, COPIED, quantised=False),
            norm("indexer k norm", a.index_head_dim or 0),
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


def _dspark(a: Architecture, block: tuple[Part, ...], ends: tuple[Part, ...]) -> tuple[tuple[Part, ...], ...]:
    """One block for each target layer; the first joins the targets' outputs, the last chooses: a low-rank table of
    which token follows which, and how sure (vllm/models/deepseek_v4/nvidia/dspark.py of 0.32)."""
    targets, rank, hidden = len(a.dspark_target_layer_ids) or 3, a.dspark_markov_rank or 0, a.hidden_size
    joined = next(part for part in block if part.name == "wq_a")
    first = (
        replace(joined, name="draft projections", rows=hidden, columns=targets * hidden),
        norm("draft norm", hidden),
    )
    last = (
        norm("draft norm", hidden), *ends,
        Part("markov tables", a.vocab_size, rank, COPIED, quantised=False, count=2),
        Part("confidence", 1, hidden + rank, COPIED, quantised=False),
    )  # fmt: skip
    return ((*block, *first), *(block for _ in range(targets - 2)), (*block, *last))


def _hybrid_layer(a: Architecture, ratio: int, *, hashed: bool) -> tuple[Part, ...]:
    width, hidden, queries = head_dim(a), a.hidden_size, a.q_lora_rank or 0
    router = (
        Part("router table", a.vocab_size, a.num_experts_per_tok, COPIED, quantised=False, wide_bytes=8)
        if hashed
        else Part("router bias", 1, a.n_routed_experts, COPIED, quantised=False, wide_bytes=4)
    )
    return (
        norm("input norm", hidden), norm("post norm", hidden), norm("q_a norm", queries), norm("kv norm", width),
        *_hybrid_projections(a),
        *(_compressor("compressor", a, ratio, width) if ratio else ()),
        *(_hybrid_indexer(a, ratio) if ratio == 4 else ()),
        *routed(a, a.n_routed_experts), router, *_hyper_connections(a, 2),
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
        norm(f"{name} norm", width),
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
