"""What an engine takes beside weights and cache, in bytes a device: contexts, buffers, activations, graphs."""

import re

from dsdeploy.core.architecture import Architecture
from dsdeploy.core.sizing import hybrid_step
from dsdeploy.core.sizing.kv_cache import VLLM_LATENT_SINCE, VLLM_PADDED_HEAD
from dsdeploy.core.sizing.parts import head_dim
from dsdeploy.core.sizing.values import MemoryRequest, Term

GIB, MIB = 1 << 30, 1 << 20

# A CUDA context with its loaded kernels: what vLLM logs as non-torch memory on one card (0.25-0.35 GiB on RTX 3090,
# 4090, L40S: vllm-project/vllm pull 10517, issue 13061).
CONTEXT_BYTES = 0.3 * GIB
# NCCL allocates channel buffers towards each peer it is connected to: with NVLink every pair within a node, across
# nodes the network's proxies beside. DeepSeek-R1 at TP 16 and at TP 8 x PP 2 logged 2.3 and 2.5 GiB in all
# (vllm-project/vllm issue 13074).
NCCL_LINKED_BYTES = 0.9 * GIB
NCCL_ACROSS_NODES_BYTES = 1.2 * GIB
# HCCL allocates a buffer for sending and again for receiving in every group of ranks: 200 MB each, which is its default
# and what vllm_ascend/utils.py asks for (`get_hccl_config_for_pg_options`), but for the group that exchanges experts
# (`mc2`): that one alone takes the variable HCCL_BUFFSIZE, which vllm-ascend's own runs set to 1024 and so do ours.
HCCL_GROUP_BYTES = 2 * 200 * MIB
EXPERTS_HCCL_BUFFSIZE_MB = 1024
# One captured graph keeps its own nodes and kernel arguments: 0.52 GiB for the 86 graphs of a 36-layer model
# (vllm-project/vllm, memory profiling since 0.21), that is about 0.17 MiB a layer and graph.
GRAPH_LAYER_BYTES = 0.172 * MIB
GRAPHS_IN_BUDGET_SINCE = (0, 21)
_LARGEST_GRAPH = 512  # vllm/config/vllm.py, `_set_cudagraph_sizes`: at most twice the sequences
# vLLM chooses how many tokens a step may hold: 2048 by default; 8192 on cards of 70 GiB and more since 0.8.3, A100
# left out since 0.9; 16384 from 160 GiB (vllm/engine/arg_utils.py, `get_batch_defaults` of 0.32: not in 0.26).
_STEP_TOKENS, _LARGE_STEP_TOKENS, _LARGE_CARD_BYTES = 2048, 8192, 70 * GIB
_LARGEST_STEP_TOKENS, _LARGEST_CARD_BYTES, _LARGEST_SINCE = 16384, 160 * GIB, (0, 28)
AHEAD_SINCE = (0, 26)
_V1_SINCE, _LARGE_STEP_SINCE = (0, 8), (0, 8, 3)
# Before V1, longer contexts switched chunked prefill on, with 512 tokens a step until 0.6.4 and 2048 after
# (vllm/engine/arg_utils.py and config.py of 0.5.4 to 0.7.3).
_CHUNKED_BEYOND_TOKENS, _CHUNKED_SINCE, _EARLY_CHUNK_TOKENS, _EARLY_CHUNK_UNTIL = 32768, (0, 5, 4), 512, (0, 6, 5)
# Until 0.6.3 the peak was what the driver had given away (vllm/worker/worker.py, `init_gpu_memory - free_gpu_memory`),
# torch's cached blocks included: attention's, freed and too small for the feed-forward ones, count beside these.
_ALLOCATED_SINCE = (0, 6, 4)
# Since then two buffers of the experts' kernels lie side by side and are kept (vllm/v1/worker/workspace.py and
# TritonExperts.workspace_shapes, read in the wheels of 0.18.1 and 0.32; 0.11 has neither): DeepSeek-V2-Lite on one H200
# logged 1.09 GiB at the peak, 0.45 of which are these (tests/truth/vllm_gpu.json).
_KEPT_EXPERTS_SINCE = (0, 18)
# The sparse attention of V3.2 holds its indexer's scores, too (sparse_attn_indexer.py of 0.22 and 0.32).
_SCORES_HELD_SINCE = (0, 22)
# The profiling run samples for every sequence that may run: 256, or 1024 on large cards since 0.9. Bytes a logit in
# V0 (vllm/model_executor/layers/sampler.py, profiled with top-k and top-p): 16-bit and float32 logits (6), sorted with
# 64-bit indices (12), their probabilities, sums and mask (9), scattered back (4), probabilities and logarithms (8).
# Two rows show it: ranks that do not sample had 1.2 GiB more (vllm issue 13061), and 1.26 GiB is the whole peak of two
# models at TP 1 and TP 2. V1 until 0.8.3 only took the largest; since then it sorts too (vllm/v1/sample).
_SAMPLED_ROWS, _LARGE_SAMPLED_ROWS, _LARGE_ROWS_SINCE = 256, 1024, (0, 9)
_V0_LOGIT_BYTES, _LOGIT_BYTES, _SORTED_LOGIT_BYTES, _SORTED_SINCE = 39, 12, 24, (0, 8, 3)


def context_terms(request: MemoryRequest) -> tuple[Term, ...]:
    """The driver's context, and the buffers through which ranks speak."""
    ranks = request.tensor_parallel * request.pipeline_parallel * request.data_parallel
    terms = [Term("context", CONTEXT_BYTES, "CUDA context and kernels, vllm pull 10517")]
    if on_ascend(request):
        return (*terms, *_hccl_terms(request, ranks))
    if ranks > 1 and request.linked:
        terms.append(Term("communication", NCCL_LINKED_BYTES, "NCCL channel buffers within a node"))
    if request.nodes > 1:
        terms.append(Term("communication across nodes", NCCL_ACROSS_NODES_BYTES, "NCCL network proxies, vllm 13074"))
    return tuple(terms)


def on_ascend(request: MemoryRequest) -> bool:
    return request.engine == "vllm-ascend" or bool(re.search(r"ascend|910[bc]", request.device_name.lower()))


def _hccl_terms(request: MemoryRequest, ranks: int) -> tuple[Term, ...]:
    """A group of ranks for each way of splitting, and two more (`ep` and `mc2`) where there are experts.

    SGLang makes as many, and one of all ranks, each of 200 MB while it spreads no experts (sglang 0.5.18,
    `get_torch_distributed_pg_options`). No log was there to hold this against: what lies inside its own reserve is
    counted beside it.
    """
    splits = (request.tensor_parallel, request.pipeline_parallel, request.data_parallel)
    experts = ranks > 1 and request.architecture.n_routed_experts > 0
    groups = sum(size > 1 for size in splits) + experts
    if not groups:
        return ()
    plain = request.engine == "sglang"
    groups += plain
    exchanged = 2 * EXPERTS_HCCL_BUFFSIZE_MB * MIB if experts and not plain else 0
    words = f"HCCL buffers of {groups} groups of ranks" + (", and that of experts" if experts else "")
    return (Term("communication", groups * HCCL_GROUP_BYTES + exchanged, words),)


def counts_graphs(request: MemoryRequest, version: tuple[int, ...]) -> bool:
    """Whether captured graphs are in the budget: on CUDA alone (`current_platform.is_cuda()` in 0.22's gpu_worker.py;
    vllm-ascend's worker.py leaves them out)."""
    other = on_ascend(request) or re.search(r"\bmi\d{3}", request.device_name.lower())
    return version >= GRAPHS_IN_BUDGET_SINCE and not other


def longest_context(request: MemoryRequest) -> int:
    """The asked context, else what the engine takes from the configuration: vLLM multiplies by a linear rope factor
    (vllm/config/model.py, `_get_and_verify_max_len`)."""
    a = request.architecture
    factor = a.rope_factor if "vllm" in request.engine else 1.0
    return request.max_model_len or int((a.max_position_embeddings or 4096) * factor)


def step_tokens(request: MemoryRequest, version: tuple[int, ...]) -> int:
    """How many tokens vLLM's profiling run holds at once."""
    if request.max_num_batched_tokens:
        return request.max_num_batched_tokens
    if version < _V1_SINCE:
        longest = longest_context(request)
        if longest <= _CHUNKED_BEYOND_TOKENS or version < _CHUNKED_SINCE:
            return max(longest, _STEP_TOKENS)
        return _EARLY_CHUNK_TOKENS if version < _EARLY_CHUNK_UNTIL else _STEP_TOKENS
    if version >= _LARGEST_SINCE and request.device_bytes >= _LARGEST_CARD_BYTES:
        return _LARGEST_STEP_TOKENS
    large = version >= _LARGE_STEP_SINCE and _is_large(request, version)
    return _LARGE_STEP_TOKENS if large else _STEP_TOKENS


def batches_in_flight(request: MemoryRequest, version: tuple[int, ...]) -> int:
    """How many steps' tokens windows are kept for: one until 0.25, since then also what is scheduled ahead
    (vllm/config/vllm.py of 0.32, `max_in_flight_tokens`)."""
    return 1 if version < AHEAD_SINCE else request.pipeline_parallel + 1


def _is_large(request: MemoryRequest, version: tuple[int, ...]) -> bool:
    """A100 is too slow for the larger steps: vLLM tells it by its name, so A800 is large."""
    slow = version >= _LARGE_ROWS_SINCE and "a100" in request.device_name.lower()
    return request.device_bytes >= _LARGE_CARD_BYTES and not slow


def activation_bytes(request: MemoryRequest, tokens: int, version: tuple[int, ...]) -> float:
    """The peak of one profiled step: the widest layer's intermediates in 16 bits beside the residual streams, or the
    sampler's rows.

    Dense: gate and up projections and their product, 3 x intermediate / TP (vLLM `SiluAndMul`), beside input, output
    and residual: 108 KiB a token of Llama-3-8B, as 20,000 and 29,000 tokens show (vllm pull 10517). Experts: the fused
    kernel's buffer of tokens x chosen experts x hidden (vLLM `fused_moe`, intermediate_cache1 and 3 share it), since
    0.18 beside another of that size, both kept while other layers run.
    """
    a, split = request.architecture, request.tensor_parallel
    residual = 3.0 * a.hidden_size * (a.hc_mult or 1)
    if a.kv_lora_rank and version < VLLM_LATENT_SINCE and request.engine == "vllm":
        residual += _unabsorbed_values(a, split)
    elif version < _ALLOCATED_SINCE and "vllm" in request.engine:
        residual += 2 * (a.num_attention_heads + a.num_key_value_heads) * head_dim(a) / split
    dense = 3 * (a.intermediate_size or 0) / split + residual
    moe = 0.0
    if is_hybrid(request):
        return _hybrid_bytes(request, tokens, _sampler_bytes(request, version))
    if a.n_routed_experts:
        if request.engine == "vllm" and version >= _KEPT_EXPERTS_SINCE:
            kept = hybrid_step.experts_bytes(a, 1 if request.expert_parallel else split, tokens)
            scores = hybrid_step.INDEXER_RESERVE_BYTES if a.index_head_dim and version >= _SCORES_HELD_SINCE else 0
            live = max(2.0 * tokens * dense, 2.0 * tokens * residual + scores)
            return kept + max(live, _sampler_bytes(request, version))
        inner = 2 * (a.moe_intermediate_size or 0) / split
        moe = min(tokens, 32768) * a.num_experts_per_tok * max(inner, a.hidden_size) / tokens + residual
    return max(2.0 * tokens * max(dense, moe), _sampler_bytes(request, version))


def is_hybrid(request: MemoryRequest) -> bool:
    """Whether this is DeepSeek-V4 in vLLM, whose step is counted buffer by buffer."""
    a = request.architecture
    return "vllm" in request.engine and bool(a.compress_ratios) and set(a.compress_ratios) <= {0, 4, 128}


def _hybrid_bytes(request: MemoryRequest, tokens: int, sampler: float) -> float:
    a, split = request.architecture, request.tensor_parallel
    cut = 1 if request.expert_parallel else split
    shared = hybrid_step.workspace_bytes(a, cut, tokens, longest_context(request))
    return shared + max(hybrid_step.attention_bytes(a, split, tokens), sampler)


def _sequences(request: MemoryRequest, version: tuple[int, ...]) -> int:
    large = version >= _LARGE_ROWS_SINCE and _is_large(request, version)
    return request.max_num_seqs or (_LARGE_SAMPLED_ROWS if large else _SAMPLED_ROWS)


def _sampler_bytes(request: MemoryRequest, version: tuple[int, ...]) -> float:
    return float(_sequences(request, version) * request.architecture.vocab_size * _logit_bytes(version))


def _unabsorbed_values(a: Architecture, split: int) -> float:
    """What MLA without a latent cache holds of a token at its attention: queries, keys, values and outputs padded to
    256, beside the unpadded queries and up-projected keys and values, whose views are still in use, and the latent
    (vllm/model_executor/models/deepseek_v2.py, `DeepseekV2Attention.forward`)."""
    nope, value, latent = a.qk_nope_head_dim or 0, a.v_head_dim or 0, a.kv_lora_rank or 0
    rope = a.qk_rope_head_dim or 0
    head = 4 * VLLM_PADDED_HEAD + (nope + rope) + (nope + value)
    return a.num_attention_heads / split * head + 2 * latent + rope


def _logit_bytes(version: tuple[int, ...]) -> int:
    if version < _V1_SINCE:
        return _V0_LOGIT_BYTES
    return _LOGIT_BYTES if version < _SORTED_SINCE else _SORTED_LOGIT_BYTES


def graph_bytes(a: Architecture, request: MemoryRequest, version: tuple[int, ...]) -> float:
    """Graphs of pieces up to twice the sequences, whole graphs up to as many as there are sequences. Hyper-connections
    carry `hc_mult` residual streams through every captured layer."""
    if request.eager:
        return 0.0
    sequences = _sequences(request, version)
    graphs = _captured_sizes(min(2 * sequences, _LARGEST_GRAPH)) + _captured_sizes(min(sequences, _LARGEST_GRAPH))
    return GRAPH_LAYER_BYTES * a.num_hidden_layers * graphs * (a.hc_mult or 1)


def _captured_sizes(largest: int) -> int:
    """1, 2, 4, every 8 below 256, every 16 from there."""
    few = sum(size <= largest for size in (1, 2, 4))
    return few + min(largest, 255) // 8 + (largest // 16 - 15 if largest >= 256 else 0)
