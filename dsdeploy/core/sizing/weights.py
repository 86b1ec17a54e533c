"""Weights on each pipeline stage's ranks: what is split, what every rank keeps whole, what an engine adds."""

from dataclasses import dataclass
from functools import cache, lru_cache

from dsdeploy.core.architecture import Architecture
from dsdeploy.core.sizing.formats import FORMATS, WeightFormat, part_bytes
from dsdeploy.core.sizing.parameters import COPIED, EXPERT, VOCABULARY, Part, count_parameters, countable
from dsdeploy.core.sizing.speed.shape import shape_of

_ATTENTION = {
    "q_proj",
    "kv_proj",
    "o_proj",
    "q_b_proj",
    "kv_b_proj",
    "qkv bias",
    "wq_b",
    "wo_a",
    "wo_b",
    "attention sink",
}


@dataclass(frozen=True, slots=True)
class Shares:
    """Into how many pieces each kind of tensor is cut. `attention` is below `tensor` with data-parallel attention."""

    tensor: int
    attention: int
    experts: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One pipeline stage: bytes on each of its ranks, and how many layers hold a cache."""

    weights_bytes: float
    layers: int


def stage_layers(layers: int, stages: int, *, rest_last: bool = False) -> tuple[int, ...]:
    """vLLM's `get_pp_indices`: what is left over goes one each to the stages before the last; once, all to the last."""
    counts = [layers // stages] * stages
    if rest_last:
        return (*counts[:-1], counts[-1] + layers % stages)
    for index in range(2, layers % stages + 2):
        counts[-index] += 1
    return tuple(counts)


@lru_cache(maxsize=8192)  # a search asks the same of many seats and replicas
def stages(
    a: Architecture, format: WeightFormat, shares: Shares, counts: tuple[int, ...], draft_layers: int,
    published_bytes: float | None, absorbed_bytes: float = 0.0,
) -> tuple[Stage, ...]:  # fmt: skip
    """`counts` is how many layers each stage has. `absorbed_bytes` is per layer and rank: the copies that an engine
    makes of MLA's up-projection."""
    if not countable(a):
        whole = _uncounted(a, format, shares, published_bytes or 0.0)
        return tuple(Stage(whole * count / a.num_hidden_layers, count) for count in counts)
    parameters = count_parameters(a)
    scale = _published_scale(a, format, published_bytes)
    vision = _beside_language(a, format, published_bytes) / len(counts)
    distinct = {id(layer): layer for layer in (*parameters.layers, *parameters.draft)}
    sizes = {key: _layer_bytes(layer, format, shares, scale) for key, layer in distinct.items()}
    found, begin = [], 0
    for index, count in enumerate(counts):
        layers = parameters.layers[begin : begin + count]
        size = vision + count * absorbed_bytes + sum(sizes[id(layer)] for layer in layers)
        if index == 0:
            size += sum(_rank_bytes(part, format, shares) for part in parameters.vision)
            size += part_bytes(parameters.embedding, format) / shares.tensor
        if index == len(counts) - 1:
            head = parameters.head or (parameters.embedding if len(counts) > 1 else None)
            size += part_bytes(head, format) / shares.tensor if head else 0
            size += sum(sizes[id(layer)] for layer in parameters.draft[:draft_layers])
        found.append(Stage(size, count + (min(draft_layers, 1) if index == len(counts) - 1 else 0)))
        begin += count
    return tuple(found)


def whole_bytes(a: Architecture, format: WeightFormat) -> float | None:
    """All weights in `format`, without draft layers; None where the tensors are not known one by one."""
    if not countable(a):
        return None
    return sum(part_bytes(part, format) for part in count_parameters(a).all(with_draft=False))


def _layer_bytes(layer: tuple[Part, ...], format: WeightFormat, shares: Shares, scale: float) -> float:
    return sum(_rank_bytes(part, format, shares) * (scale if part.quantised else 1.0) for part in layer)


def _rank_bytes(part: Part, format: WeightFormat, shares: Shares) -> float:
    size = part_bytes(part, format)
    if part.share == COPIED:
        return size
    if part.share == EXPERT:
        return size / shares.experts
    if part.share == VOCABULARY:
        return size / shares.tensor
    return size / (shares.attention if part.name in _ATTENTION else shares.tensor)


@cache
def _covered(name: str, a: Architecture) -> tuple[float, float]:
    parts = count_parameters(a).all(with_draft=FORMATS[name].draft)
    covered = sum(part_bytes(part, FORMATS[name]) for part in parts if part.quantised)
    return covered, sum(part_bytes(part, FORMATS[name]) for part in parts) - covered


def _published_scale(a: Architecture, format: WeightFormat, published_bytes: float | None) -> float:
    """What a quantised repository's covered tensors really take, against the format's formula: group sizes and parts
    that its maker left wide differ. Only within a tenth, beyond that the repository is not what the formula means."""
    if not published_bytes or format.name in ("bf16", "fp8-block", "fp4-experts+fp8"):
        return 1.0
    covered, rest = _covered(format.name, a)
    scale = (published_bytes - rest) / covered
    return scale if 0.9 < scale < 1.15 else 1.0


def _beside_language(a: Architecture, format: WeightFormat, published_bytes: float | None) -> float:
    """A vision tower's bytes: what is published beyond the language model's own tensors."""
    if not published_bytes or not a.name.startswith(("DeepseekOCR", "DeepseekVL")):
        return 0.0
    return max(0.0, published_bytes - (whole_bytes(a, format) or published_bytes))


def _uncounted(a: Architecture, format: WeightFormat, shares: Shares, published_bytes: float) -> float:
    """Engram tables that are not stated: of the published total the experts are known, the rest is split as attention
    is."""
    shape = shape_of(a)
    experts = shape.moe_layers * shape.experts * shape.expert * format.expert_bytes
    ends = 2 * 2 * a.vocab_size * a.hidden_size
    rest = max(0.0, published_bytes - experts - ends)
    split = shape.attention_split + shape.shared_experts
    copied = rest * shape.attention_copied / max(1, split + shape.attention_copied)
    return experts / shares.experts + ends / shares.tensor + copied + (rest - copied) / shares.attention
