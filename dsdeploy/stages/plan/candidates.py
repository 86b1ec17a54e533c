"""Everything that could be served: each model in each format that can be sized, and each way to split it."""

from collections.abc import Iterator
from dataclasses import dataclass

from dsdeploy.adapters.engines.vllm_vendor import vendor_images
from dsdeploy.core import catalogue
from dsdeploy.core.architecture import Architecture
from dsdeploy.core.catalogue import Variant
from dsdeploy.core.engines import EngineSpec, engines, find_engine
from dsdeploy.core.errors import InvalidRequest
from dsdeploy.core.plan import Quality, Request
from dsdeploy.core.quality import general, quality_of
from dsdeploy.core.sizing.formats import FORMATS, find_format
from dsdeploy.core.sizing.parameters import countable
from dsdeploy.core.sizing.support import same_format
from dsdeploy.core.texts import text
from dsdeploy.stages.plan.pools import Pool

_NODES = (2, 3, 4, 6, 8)
# Owners whose repositories others build on; among several of one format theirs is taken.
_OWNERS = ("deepseek-ai", "nvidia", "redhatai", "ista-daslab", "cognitivecomputations", "quixiai", "vllm-ascend",
           "eco-tech", "unsloth", "bartowski", "ggml-org")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Offer:
    """One set of weights that may be chosen. `size_bytes` is None where its size follows from the format alone."""

    variant: Variant
    architecture: Architecture
    quality: Quality | None
    released: str

    @property
    def score(self) -> float:
        return self.quality.score if self.quality else -1.0


@dataclass(frozen=True, slots=True)
class Shape:
    """One replica on `nodes` nodes with `devices` of each, split so. In the engine's own sense: SGLang's data
    parallelism lies inside its tensor parallelism, vLLM's beside it."""

    devices: int
    nodes: int
    tensor: int
    pipeline: int = 1
    data: int = 1
    expert: bool = False

    @property
    def words(self) -> str:
        parts = [f"TP{self.tensor}"]
        parts += [f"PP{self.pipeline}"] if self.pipeline > 1 else []
        parts += [f"DP{self.data}"] if self.data > 1 else []
        parts += ["EP"] if self.expert else []
        return " ".join(parts)


def offers(request: Request) -> tuple[Offer, ...]:
    """Best first; of the same quality the newer model, then more bits.

    Raises UnknownModel, UnknownEngine, InvalidRequest.
    """
    if request.engine is not None:
        find_engine(request.engine)
    if request.model_id is not None:
        named = catalogue.find_model(request.model_id)
        models = [named] if named.get("architecture") and named.get("deployable", True) else []
    else:
        models = [one for one in catalogue.models() if general(one)]
    found = [one for model in models for one in _offers(model, request.format)]
    if request.format is not None:
        wanted = request.format.lower()
        found = [one for one in found if same_format(one.variant.format, wanted)]
    if not found:
        asked = " ".join(filter(None, (request.model_id, request.format)))
        raise InvalidRequest(
            text("plan-nothing-offered", asked=asked),
            hint=text("plan-nothing-offered-hint"),
        )
    return tuple(sorted(found, key=_order))


def _order(one: Offer) -> tuple[object, ...]:
    newest = tuple(-int(part) for part in one.released.split("-") if part.isdigit())
    return -one.score, newest, -(one.variant.size_bytes or 0), one.variant.model_id, one.variant.repository


def _offers(model: dict[str, object], format: str | None) -> Iterator[Offer]:
    """Of several repositories of one format for the same engines, the one whose size and owner are best known.

    What a repository holds must be known well enough to stand on, by its size or its maker; who names the format has
    looked at it.
    """
    id = str(model["id"])
    architecture = catalogue.architecture(id)
    best: dict[tuple[object, ...], Variant] = {}
    for one in catalogue.variants(id):
        if not _sizable(one, architecture) or not (format or _trusted(one)):
            continue
        key = (one.format, one.engines)
        if key not in best or _trust(one) > _trust(best[key]):
            best[key] = one
    for one in best.values():
        yield Offer(one, architecture, quality_of(one), str(model.get("release_date") or ""))


def _sizable(one: Variant, a: Architecture) -> bool:
    if one.format.startswith("gguf"):
        return one.size_bytes is not None and "-" in one.format
    known = find_format(one.format, native_block="weight_block_size" in (a.quantization_config or {}))
    return known is not None and known.name in FORMATS and (countable(a) or one.size_bytes is not None)


def _trusted(one: Variant) -> bool:
    return bool(one.native or one.size_bytes or one.engines or _owner(one) in _OWNERS)


def _trust(one: Variant) -> tuple[object, ...]:
    owner = _owner(one)
    rank = _OWNERS.index(owner) if owner in _OWNERS else len(_OWNERS)
    return one.native, one.size_bytes is not None, -rank


def _owner(one: Variant) -> str:
    return one.repository.partition("/")[0].lower()


def engines_for(one: Offer, request: Request, pool: Pool) -> tuple[tuple[str, str], ...]:
    """Engines that these weights are made for and that can be started here, with their newest recorded version."""
    gguf = one.variant.format.startswith("gguf")
    return tuple(
        (engine.name, version)
        for engine in engines()
        if (engine.name == "llama.cpp") == gguf
        and engine.made_for(one.variant.engines, _target(pool))
        and (request.engine is None or engine.name == request.engine.lower())
        and (version := _newest(engine, pool))
    )


def _target(pool: Pool) -> str:
    return (pool.spec.architecture or "").rpartition(" ")[2]


def _newest(engine: EngineSpec, pool: Pool) -> str | None:
    """None without a published image for this accelerator; of an accelerator nobody knows the maker's is taken."""
    target = _target(pool)
    if engine.versions:
        version = engine.versions_for(target)[-1]
        return version if not pool.known or engine.image(target, version) else None
    return next(reversed(vendor_images(target)), None)


def shapes(a: Architecture, engine: str, pool: Pool) -> Iterator[Shape]:
    """Every way to split one replica over this pool that is worth a look, smallest first."""
    if pool.slice:
        yield Shape(1, 1, 1)
        return
    count = pool.devices
    sizes = sorted({size for size in (1, 2, 4, 8, 16, count) if size <= count})
    if engine == "llama.cpp":
        yield from (Shape(size, 1, 1) for size in sizes)
        return
    tensor_alone = _target(pool) in find_engine(engine).tensor_alone
    for size in sizes:
        yield Shape(size, 1, size)
        if not pool.linked and not tensor_alone:
            yield from (Shape(size, 1, size // stages, stages) for stages in (2, 4) if size % stages == 0 < size // 2)
    mixture = a.n_routed_experts > 0 and not tensor_alone
    if mixture and count > 1:
        yield _data_parallel(engine, count, 1)
    for nodes in _NODES:
        if nodes > pool.nodes:
            return
        if not tensor_alone:
            yield Shape(count, nodes, count, nodes)
        if pool.rdma:
            yield Shape(count, nodes, count * nodes)
            if mixture:
                yield _data_parallel(engine, count, nodes)


def _data_parallel(engine: str, count: int, nodes: int) -> Shape:
    """Attention on each device for users of its own, experts spread over all."""
    ranks = count * nodes
    return Shape(count, nodes, ranks if engine == "sglang" else 1, 1, ranks, True)
