"""A question of memory and its answer: frozen, bytes per device unless a name says otherwise."""

from dataclasses import dataclass

from dsdeploy.core.architecture import Architecture


@dataclass(frozen=True, slots=True)
class MemoryRequest:
    """One exact configuration. `device_bytes` is what the driver offers a program on one device; `published_bytes` is
    the weight files' size where known; `engine_version` None is the newest that is known. For llama.cpp, `gpu_layers`
    is `--n-gpu-layers` (the output counts as one) and `expert_layers_in_host` is `--n-cpu-moe` (the first layers'
    experts, layers without experts counted)."""

    architecture: Architecture
    format: str
    engine: str
    device_bytes: float
    count: int = 1
    nodes: int = 1
    engine_version: str | None = None
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    data_parallel: int = 1
    expert_parallel: bool = False
    max_model_len: int | None = None
    memory_utilization: float | None = None
    kv_cache_dtype: str = "auto"
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    published_bytes: float | None = None
    draft_layers: int = 0
    eager: bool = False
    cpu_offload_bytes: float = 0
    gpu_layers: int | None = None
    decode_context_parallel: int = 1
    device_bandwidth: float | None = None
    linked: bool = True
    device_name: str = ""
    expert_layers_in_host: int = 0


@dataclass(frozen=True, slots=True)
class Term:
    name: str
    size_bytes: float
    source: str


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """`verdict` is fits, weights_too_large, kv_cache_too_small, format_unsupported or parallelism_invalid.

    `kv_cache_tokens` is what the engine reports for one data-parallel rank, `max_concurrency` how many sequences of
    `max_model_len` that is. `stage_weights_bytes` is each pipeline stage's weights on one rank, in order;
    `host_bytes` is what all devices together leave in host memory; `budget_bytes` is what the engine allows itself of
    one device.
    """

    verdict: str
    weights_bytes_per_device: float
    runtime_bytes_per_device: float
    kv_cache_bytes_per_device: float
    kv_cache_tokens: int
    max_concurrency: float
    terms: tuple[Term, ...]
    warnings: tuple[str, ...]
    stage_weights_bytes: tuple[float, ...] = ()
    host_bytes: float = 0.0
    budget_bytes: float = 0.0

    @property
    def fits(self) -> bool:
        return self.verdict == "fits"
