"""One way to serve a set of weights, sized and timed: what it holds, how fast it is, and the first rule it breaks."""

from dataclasses import dataclass, field, replace
from math import ceil

from dsdeploy.core.accelerators import AcceleratorSpec
from dsdeploy.core.architecture import Architecture
from dsdeploy.core.deployment import Deployment
from dsdeploy.core.errors import DsdeployError
from dsdeploy.core.plan import Rejected
from dsdeploy.core.sizing.llamacpp import fit_offload, host_share
from dsdeploy.core.sizing.memory import NEWEST, estimate_memory, version_of
from dsdeploy.core.sizing.runtime import step_tokens
from dsdeploy.core.sizing.speed import Pace, ServingSpeed, SpeedEstimate, SpeedRequest
from dsdeploy.core.sizing.support import format_support, weight_formats
from dsdeploy.core.sizing.values import MemoryEstimate, MemoryRequest
from dsdeploy.stages.plan.candidates import Offer, Shape
from dsdeploy.stages.plan.load import Load, settle
from dsdeploy.stages.plan.pools import Pool

NETWORK_BYTES_PER_S = 50e9  # 400 Gbit/s a device, the usual rail of an HGX node; a plan says that it assumes it
_SLOW_NETWORK_BYTES_PER_S = 3.125e9  # 25 Gbit/s Ethernet, where no RDMA device was seen
# What an engine's cache is not settled for may be overstated by up to 1.85 (docs/sizing.md): such plans need twice. So
# do SGLang's on Ascend, of which no log was there to hold its memory against.
_UNSETTLED = 2
VLLM = ("vllm", "vllm-ascend", "vllm-vendor")
RESERVE_BYTES = 16 << 30  # what an engine's processes and pinned buffers take of host memory for one device
_SEATS = 8  # seats of an engine are handed out in steps of so many


@dataclass(frozen=True, slots=True)
class Fit:
    """A candidate that serves the load, with what it was judged by. `speed` is one replica's, None where unknown."""

    offer: Offer
    deployment: Deployment
    shape: Shape
    pool: Pool
    memory: MemoryEstimate
    speed: SpeedEstimate | None
    at_once: int
    needed_tokens: int
    weights_bytes: int
    support: str

    @property
    def machines(self) -> int:
        """How many nodes it takes: several replicas share one where they fit."""
        d = self.deployment
        return d.nodes * d.replicas if d.nodes > 1 else ceil(d.replicas / (self.pool.devices // d.devices_per_node))

    @property
    def settled(self) -> bool:
        """Whether this engine's cache for this model follows from its source, or from logs of it."""
        return _caution(self.offer.architecture, self.deployment.engine, self.pool.spec.vendor) == 1

    @property
    def tokens_per_s_per_user(self) -> float | None:
        return self.speed.decode_tokens_per_s_per_user.expected if self.speed else None

    @property
    def first_token_s(self) -> float | None:
        return self.speed.ttft_s.expected if self.speed and self.speed.ttft_s else None

    @property
    def output_tokens_per_s(self) -> float | None:
        total = self.speed.output_tokens_per_s_total if self.speed else None
        return total.expected * together(self.at_once, self.deployment.replicas) if total else None


def together(at_once: int, replicas: int) -> float:
    """How many times the total of one replica with its share, rounded up, all reach: not every one gets so many."""
    return at_once / ceil(at_once / replicas)


@dataclass(frozen=True, slots=True)
class Case:
    """One way to serve; what was asked of the sizing is kept, for replicas only change how many ask at once."""

    offer: Offer
    engine: str
    version: str
    shape: Shape
    pool: Pool
    load: Load
    step: int | None = None
    memories: dict[int, tuple[MemoryRequest, MemoryEstimate]] = field(default_factory=dict)
    services: dict[tuple[float, bool], ServingSpeed | None] = field(default_factory=dict)
    paces: dict[int, Pace | None] = field(default_factory=dict)
    settled: dict[int, int] = field(default_factory=dict)

    @property
    def ranks(self) -> int:
        """Attention replicas of one engine replica, each with a cache of its own."""
        return self.shape.data

    def judge(self, most: int) -> Fit | Rejected:
        """With the fewest replicas that keep every rule, with the most where they nearly keep a workload's wishes;
        rejected by what the most of them break."""
        if broken := self._broken(most):
            eased = replace(self, load=self.load.eased())
            slow = broken.rule in ("speed", "first-token")
            return broken if not slow or eased._broken(most) else eased._fit(most)
        low, high = 1, most
        while low < high:
            middle = (low + high) // 2
            if self._broken(middle):
                low = middle + 1
            else:
                high = middle
        return self._fit(high)

    def exactly(self, replicas: int, most: int) -> Fit | Rejected:
        missing = self.shape.devices > self.pool.devices or self.shape.nodes > self.pool.nodes or replicas > most
        if missing:
            return self._no("devices", replicas, most)
        return self._broken(replicas) or self._fit(replicas)

    def _broken(self, replicas: int) -> Rejected | None:
        """The first rule that so many break. A speed is predicted only where a rule asks for it: it costs most."""
        first = self._memory(1)
        if first.verdict != "fits" and first.verdict != "kv_cache_too_small":
            return self._no(
                "memory", first.weights_bytes_per_device + first.runtime_bytes_per_device, first.budget_bytes
            )
        at_once = self._at_once(replicas)
        needed, there = self._needed_tokens(at_once, replicas), self._held(at_once, replicas).kv_cache_tokens
        if there < needed:
            return self._no("kv-cache", needed, there)
        return self._too_slow(at_once, replicas)

    def _fit(self, replicas: int) -> Fit:
        at_once = self._at_once(replicas)
        memory, each = self._held(at_once, replicas), self._each(at_once, replicas)
        size = self.offer.variant.size_bytes or self._whole_bytes()
        return Fit(
            self.offer, self._deployment(replicas, each), self.shape, self.pool, memory,
            self.speed_at(ceil(at_once / replicas)), at_once, self._needed_tokens(at_once, replicas), size,
            support_of(self.offer, self.engine, self.pool),
        )  # fmt: skip

    def _whole_bytes(self) -> int:
        """The weights' size by their format, as one device would hold them: a split repeats some on every device."""
        whole = replace(self, shape=Shape(1, 1, 1), memories={})
        return round(sum(whole._memory(1).stage_weights_bytes))

    def _at_once(self, replicas: int) -> int:
        if replicas not in self.settled:
            self.settled[replicas] = settle(self.load, lambda number: self._service_s(self._pace(number, replicas)))
        return self.settled[replicas]

    def _each(self, at_once: int, replicas: int) -> int:
        """Requests on one data-parallel rank."""
        return ceil(at_once / replicas / self.ranks)

    def _held(self, at_once: int, replicas: int) -> MemoryEstimate:
        return self._memory(self._each(at_once, replicas))

    def _needed_tokens(self, at_once: int, replicas: int) -> int:
        caution = _caution(self.offer.architecture, self.engine, self.pool.spec.vendor)
        return self.load.needed_tokens(self._each(at_once, replicas)) * caution

    def _pace(self, at_once: int, replicas: int) -> Pace | None:
        each = ceil(at_once / replicas)
        if each not in self.paces:
            service = self._service(each)
            self.paces[each] = service.pace(each) if service else None
        return self.paces[each]

    def _service_s(self, pace: Pace | None) -> float:
        """From a request to its last token; from the wished figures where the speed is unknown."""
        load = self.load
        if pace is None:
            rate = load.tokens_per_s or load.wished_tokens_per_s or 20.0
            return (load.first_token_s or load.wished_first_token_s or 2.0) + load.output_tokens / rate
        return (pace.first_token_s or 0.0) + load.output_tokens / pace.tokens_per_s

    def _too_slow(self, at_once: int, replicas: int) -> Rejected | None:
        load = self.load
        wanted, limit = load.tokens_per_s or load.wished_tokens_per_s, load.first_token_s or load.wished_first_token_s
        pace = self._pace(at_once, replicas) if wanted or limit else None
        if pace is None:
            return None
        if wanted and pace.tokens_per_s < wanted:
            return self._no("speed", wanted, pace.tokens_per_s)
        if limit and pace.first_token_s and pace.first_token_s > limit:
            return self._no("first-token", pace.first_token_s, limit)
        return None

    def _no(self, rule: str, needed: float, available: float) -> Rejected:
        variant, words = self.offer.variant, self.shape.words
        place = f"{self.shape.nodes} x {self.shape.devices}" if self.shape.nodes > 1 else f"{self.shape.devices}"
        return Rejected(
            variant.model_id, variant.format, rule, round(needed, 3), round(available, 3), self.engine,
            f"{place} x {self.pool.spec.name}, {words}",
        )  # fmt: skip

    def _memory(self, at_once: int) -> MemoryEstimate:
        return self._sized(at_once)[1]

    def _sized(self, at_once: int) -> tuple[MemoryRequest, MemoryEstimate]:
        seats = _seats(at_once, self.engine)
        if seats not in self.memories:
            request = self._memory_request(seats)
            self.memories[seats] = request, estimate_memory(request)
        return self.memories[seats]

    def _memory_request(self, seats: int) -> MemoryRequest:
        """Where the devices cannot hold a mixture of experts and the host has room, llama.cpp leaves experts there."""
        shape, load, host_bytes = self.shape, self.load, self.pool.host_bytes
        request = MemoryRequest(
                architecture=self.offer.architecture, format=self.offer.variant.format,
                engine=_sized_as(self.engine), device_bytes=self.pool.device_bytes,
                count=shape.devices, nodes=shape.nodes, engine_version=self.version, tensor_parallel=shape.tensor,
                pipeline_parallel=shape.pipeline, data_parallel=shape.data, expert_parallel=shape.expert,
                max_model_len=load.longest_tokens, max_num_seqs=seats, max_num_batched_tokens=self.step,
                published_bytes=float(self.offer.variant.size_bytes or 0) or None,
                device_name=self.pool.spec.id, linked=self.pool.linked,
        )  # fmt: skip
        room = (host_bytes or 0) - RESERVE_BYTES * shape.devices
        if self.engine == "llama.cpp" and load.offload and room > 0 and self.offer.architecture.n_routed_experts:
            return fit_offload(request, version_of(self.engine, self.version), room) or request
        return request

    def speed_at(self, at_once: int) -> SpeedEstimate | None:
        """One replica's; None where it cannot be predicted."""
        service = self._service(at_once)
        return service.estimate(at_once) if service else None

    def _service(self, at_once: int) -> ServingSpeed | None:
        """Where experts stay in host memory, how many depends on how many ask at once."""
        away = self.engine == "llama.cpp" and self.load.offload
        left = host_share(self._sized(at_once)[0]) if away else (0.0, False)
        if left not in self.services:
            try:
                self.services[left] = ServingSpeed(self._speed_request(*left))
            except DsdeployError:
                self.services[left] = None
        return self.services[left]

    def _speed_request(self, host_share: float, experts_first: bool) -> SpeedRequest:
        shape, load = self.shape, self.load
        inside = shape.tensor // shape.data if self.engine == "sglang" else shape.tensor
        size = float(self.offer.variant.size_bytes or 0) or None
        return SpeedRequest(
            architecture=self.offer.architecture,
            weights=weight_formats(self.offer.architecture, self.offer.variant.format, size),
            accelerator=_as_linked(self.pool), engine=_sized_as(self.engine),
            engine_version=self.version, tp=1 if self.engine == "llama.cpp" else inside,
            pp=shape.pipeline, dp=shape.data, ep=inside * shape.data if shape.expert else 1,
            nodes=shape.nodes, prompt_tokens=load.prompt_tokens,
            output_tokens=load.output_tokens, max_num_batched_tokens=self.step,
            host_share=host_share, host_experts_first=experts_first,
            internode_bytes_per_s=_network(self.pool) if shape.nodes > 1 else None,
        )  # fmt: skip

    def _deployment(self, replicas: int, each: int) -> Deployment:
        """With every default on which its memory stands written out: vLLM's step grows with the card."""
        shape, version = self.shape, version_of(_sized_as(self.engine), self.version)
        return Deployment(
            model_id=self.offer.variant.model_id, format=self.offer.variant.format, engine=self.engine,
            engine_version=self.version, accelerator=self.pool.spec.id, devices_per_node=shape.devices,
            nodes=shape.nodes, replicas=replicas, tensor_parallel=shape.tensor, pipeline_parallel=shape.pipeline,
            data_parallel=shape.data, expert_parallel=shape.expert, max_model_len=self.load.longest_tokens,
            max_num_seqs=_seats(each, self.engine),
            expert_layers_in_host=self._sized(each)[0].expert_layers_in_host,
            tensor_split=self._sized(each)[0].tensor_split,
            max_num_batched_tokens=step_tokens(self._sized(each)[0], version) if self.engine in VLLM else None,
            slice=self.pool.slice, slices_per_card=self.pool.slices_per_card, resource=self.pool.resource,
        )  # fmt: skip


def support_of(offer: Offer, engine: str, pool: Pool) -> str:
    """As the engine's documents say; of an unknown device nothing is known but that a common format may run."""
    if not pool.known:
        return "native" if offer.variant.format in ("bf16", "fp16") or engine == "llama.cpp" else "none"
    return format_support(pool.spec, engine, offer.variant.format, offer.architecture)


def _caution(a: Architecture, engine: str, vendor: str) -> int:
    open_in_sglang = engine == "sglang" and (a.compress_ratios or vendor == "ascend")
    return _UNSETTLED if a.kv_source_layer_ids or open_in_sglang else 1


def _sized_as(engine: str) -> str:
    return engine if engine in NEWEST else "vllm"


def _seats(at_once: int, engine: str) -> int:
    return at_once if engine == "llama.cpp" else ceil(at_once / _SEATS) * _SEATS


def _as_linked(pool: Pool) -> AcceleratorSpec:
    """The accelerator as it is joined here: where a pair lacks the fast link, all go the slow way."""
    spec = pool.spec
    if pool.linked or spec.link in (None, "PCIe"):
        return spec
    return replace(spec, link="PCIe", link_bytes_per_s=spec.pcie_bytes_per_s, link_devices=None)


def _network(pool: Pool) -> float:
    return NETWORK_BYTES_PER_S if pool.rdma else _SLOW_NETWORK_BYTES_PER_S / pool.devices
