"""What a model's tensors are counted in: matrices by name, how ranks share them, whether quantisers touch them."""

from dataclasses import dataclass
from math import ceil

from dsdeploy.core.architecture import Architecture

SPLIT, COPIED, EXPERT, VOCABULARY = "split", "copied", "expert", "vocabulary"


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


def routed(a: Architecture, experts: int) -> tuple[Part, ...]:
    width = a.moe_intermediate_size or 0
    routed = (
        Part(one.name, one.rows, one.columns, EXPERT, count=one.count * experts)
        for one in mlp("experts", a.hidden_size, width, EXPERT)
    )
    shared = mlp("shared experts", a.hidden_size, width * a.n_shared_experts, SPLIT) if a.n_shared_experts else ()
    return (*routed, *shared, Part("router", experts, a.hidden_size, COPIED, quantised=False))


def mlp(name: str, hidden: int, width: int, share: str) -> tuple[Part, ...]:
    return (Part(f"{name} up", width, hidden, share, count=2), Part(f"{name} down", hidden, width, share))


def norm(name: str, width: int) -> Part:
    return Part(name, 1, width, COPIED, quantised=False)
