"""What an engine is asked to serve and on what, and the words that start it there: between a plan and every target."""

from dataclasses import dataclass, field
from math import ceil


@dataclass(frozen=True, slots=True)
class Deployment:
    """One model on one engine, split one way; `replicas` of it stand side by side.

    The split is in the engine's own sense: SGLang's data-parallel attention of a model with experts lies inside its
    tensor-parallel group, vLLM's data-parallel ranks stand beside. `accelerator` is a catalogue id, or "cpu".
    `devices_per_node` and `nodes` are one replica's. `max_num_seqs` is how many requests one data-parallel
    rank answers at once.
    `memory_utilization` and `kv_cache_dtype` are in the engine's own sense; None and "auto" leave
    them to it, as does None for `max_num_batched_tokens`, the tokens of one step of vLLM's scheduler.
    `draft_tokens` is how many tokens the model's own MTP layer drafts, 0 without. `gpu_layers` (llama.cpp) are the
    layers in device memory, None all; `expert_layers_in_host` of them leave their routed experts in host memory, and
    `tensor_split` is how many layers each device then gets, empty for equal shares.
    Where a device is a MIG instance, `slice` is its profile (3g.40gb; "MIG" where no tool named it), of which
    `slices_per_card` share a card, and `resource` is the Kubernetes extended resource under which they are offered,
    None where that is the accelerator's own.
    """

    model_id: str
    format: str
    engine: str
    engine_version: str
    accelerator: str
    devices_per_node: int
    nodes: int
    replicas: int
    tensor_parallel: int
    pipeline_parallel: int
    data_parallel: int
    expert_parallel: bool
    max_model_len: int
    max_num_seqs: int
    memory_utilization: float | None = None
    kv_cache_dtype: str = "auto"
    draft_tokens: int = 0
    gpu_layers: int | None = None
    expert_layers_in_host: int = 0
    tensor_split: tuple[int, ...] = ()
    max_num_batched_tokens: int | None = None
    slice: str | None = None
    slices_per_card: int = 1
    resource: str | None = None

    @property
    def devices(self) -> int:
        """All devices of all replicas."""
        return self.devices_per_node * self.nodes * self.replicas

    @property
    def seats(self) -> int:
        """How many requests one replica answers at once."""
        return self.max_num_seqs * self.data_parallel

    @property
    def cards(self) -> int:
        """What is bought for them: of cards cut into MIG instances as many as hold these."""
        return ceil(self.devices / self.slices_per_card)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one node of a replica runs, in words of its target: a literal, or a variable that the target expands.

    `weights` is the absolute path of the weights' folder, or of the first GGUF file. `keys_file` holds one accepted
    key a line; `writable` is the one folder, besides /tmp, that the engine may write to. `leader_address` and
    `node_rank` (0 is the leader) matter where a replica has several nodes, as does `peer_address`, another of them by a
    name that this one can look up: given where the engine shares its host's network, whose routes and names decide by
    which address the others reach it.
    """

    weights: str
    served_name: str
    keys_file: str
    host: str = "0.0.0.0"
    port: int = 8000
    writable: str = "/cache"
    leader_address: str = "127.0.0.1"
    node_rank: str = "0"
    peer_address: str = ""


@dataclass(frozen=True, slots=True)
class Launch:
    """How one node of a replica is started, for any target: arrays of words, nothing quoted.

    `argv` is the whole command: it takes the place of the image's entrypoint. `serves_http` is false for a follower
    node that answers nobody: its ports, probes and metrics are none.
    `image` is the repository and tag that the engine's makers publish for this accelerator, None where it is made on
    the spot; a plan or bundle pins its digest. `devices` are device nodes, one with `{n}` for each device's number;
    where that does not tell them apart, the variable `visible` names the numbers, with commas between. `resource` is
    the Kubernetes extended resource of the accelerator, whose scheduler chooses devices itself; `runtime` is the
    container runtime's name for it where one is needed. `ready_path` answers 200 once the model is loaded;
    `metrics_path` is None where there is none. `load_s` is the time budget from start to ready
    without reading weights; `drain_s` is how long running answers may take to end after the stop signal. A user that is
    `looked_up` needs an entry in /etc/passwd, which images have for root alone.
    """

    image: str | None
    argv: tuple[str, ...]
    environment: dict[str, str]
    port: int
    ready_path: str
    metrics_path: str | None
    devices: tuple[str, ...] = ()
    visible: str | None = None
    resource: str | None = None
    runtime: str | None = None
    mounts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    shm_bytes: int = 0
    ulimits: dict[str, int] = field(default_factory=dict)
    writable: tuple[str, ...] = ("/tmp",)
    load_s: int = 600
    drain_s: int = 120
    serves_http: bool = True
    looked_up: bool = False
