"""What is asked of the speed model and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dsdeploy.core.accelerators import AcceleratorSpec
from dsdeploy.core.architecture import Architecture
from dsdeploy.core.band import Band

Bound = Literal["memory", "compute", "communication", "overhead"]


@dataclass(frozen=True, slots=True)
class TensorFormat:
    """How one group of tensors is stored and multiplied.

    `bits` per weight include scales and zero points. `number_type` is what the format multiplies in where the chip can
    (bf16, fp16, fp8, int8, fp4); weight-only formats (AWQ, GPTQ, GGUF) say bf16.
    """

    bits: float
    number_type: str


BF16 = TensorFormat(16, "bf16")


@dataclass(frozen=True, slots=True)
class WeightFormats:
    """`dense` are feed-forward weights outside the routed experts; `head` is the output projection."""

    attention: TensorFormat
    dense: TensorFormat
    experts: TensorFormat
    head: TensorFormat = BF16


@dataclass(frozen=True, slots=True)
class SpeedRequest:
    """One engine, one model, one way of splitting it.

    `tp` ranks share each attention layer, `dp` replicas of attention serve different users, `pp` stages follow one
    another: `tp * dp * pp` devices in all. Routed experts are spread over `tp * dp` ranks: sliced when `ep` is 1, whole
    otherwise. `concurrency` is the number of users answered at once. `internode_bytes_per_s` is one device's share of
    its node's network, one direction; required when `nodes` is more than 1. `mtp_acceptance` is the chance that a
    drafted token is kept; None is the published one. `two_batch_overlap` hides the experts' exchange behind the other
    half of the batch. For llama.cpp: `host_share` is the share of the layers' weights in host memory (experts first
    when `host_experts_first`), read at `host_memory_bytes_per_s`; `host_flops_per_s` is what the host's cores reach in
    matrix products, None unknown.
    """

    architecture: Architecture
    weights: WeightFormats
    accelerator: AcceleratorSpec | None
    engine: str
    engine_version: str | None = None
    tp: int = 1
    pp: int = 1
    dp: int = 1
    ep: int = 1
    nodes: int = 1
    concurrency: int = 1
    prompt_tokens: int = 1024
    output_tokens: int = 1024
    kv_cache_dtype: str = "auto"
    max_num_batched_tokens: int | None = None
    cuda_graphs: bool = True
    two_batch_overlap: bool = False
    internode_bytes_per_s: float | None = None
    mtp_draft_tokens: int = 0
    mtp_acceptance: float | None = None
    host_share: float = 0.0
    host_experts_first: bool = False
    host_memory_bytes_per_s: float | None = None
    host_flops_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Term:
    """Seconds of one decode step, expected, and where the constants behind them come from."""

    seconds: float
    bound: Bound
    source: str


@dataclass(frozen=True, slots=True)
class SpeedEstimate:
    """`decode_*` is pure generation. `output_tokens_per_s_total` is what a benchmark at this concurrency would report:
    it also pays for the prompts of those who arrive. `ttft_s` is the mean in steady traffic, `burst_ttft_s` the wait of
    the last user when all ask at the same moment. What depends on reading prompts is None where the speed of that is
    unknown. For seconds, `low` is the slow end.
    """

    decode_tokens_per_s_per_user: Band
    decode_tokens_per_s_total: Band
    output_tokens_per_s_total: Band | None
    prefill_tokens_per_s: Band | None
    ttft_s: Band | None
    burst_ttft_s: Band | None
    terms: Mapping[str, Term]
    bound: Bound


@dataclass(frozen=True, slots=True)
class Pace:
    """What a user sees, expected; no first token where the speed of reading prompts is unknown."""

    first_token_s: float | None
    tokens_per_s: float


def bound_of(terms: Mapping[str, Term]) -> Bound:
    """What most of the step is spent on."""
    sums: dict[Bound, float] = {}
    for term in terms.values():
        sums[term.bound] = sums.get(term.bound, 0.0) + term.seconds
    return max(sums, key=lambda bound: sums[bound])
