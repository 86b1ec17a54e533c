"""A GGUF's bytes by part: which tensors a quantiser keeps wider, and what is left for the experts.

Source: llama.cpp `src/llama-quant.cpp` (`llama_tensor_get_type_impl`: the output head in Q6_K, the rest in the file's
base type; routers and norms stay float32), ggml's block sizes for the bits of each type. Of a mixture of experts all
parts but the experts follow from their type; the experts take what the published size leaves.
"""

from dataclasses import dataclass
from functools import cache

from dsdeploy.core.architecture import Architecture
from dsdeploy.core.sizing.formats import FORMATS, part_bytes
from dsdeploy.core.sizing.parameters import EXPERT, Part, count_parameters, countable

# Bits a weight with its scales: ggml-common.h, `block_*`.
_BITS = {"q8": 8.5, "q6": 6.5625, "q5": 5.5, "q4": 4.5, "iq4": 4.5, "bf16": 16.0, "f16": 16.0, "mxfp4": 8.5}
# Below four bits makers leave attention, shared and dense parts in Q4_K to Q6_K (unsloth's "dynamic" R1 of 2025).
_FEW_BITS_REST = 5.5
_HEAD_BITS = 6.5625
# In mixed types half of the down projections are wider, Q6_K where gate and up are Q4_K: against the mean of all.
_WIDEST_OF_MEAN = 1.36


@dataclass(frozen=True, slots=True)
class Gguf:
    """Bytes: `layers` without experts, `experts` of each layer, `widest_expert` the largest expert tensor of a layer
    (gate, up or down of all experts together)."""

    embedding: float
    head: float
    layers: tuple[float, ...]
    experts: tuple[float, ...]
    widest_expert: float

    @property
    def whole(self) -> float:
        return self.embedding + self.head + sum(self.layers) + sum(self.experts)


@cache
def gguf_parts(a: Architecture, format: str, published_bytes: float) -> Gguf:
    """Where the tensors are not known one by one, every layer has the same size and no experts apart."""
    if not countable(a):
        each = published_bytes / (a.num_hidden_layers + 1)
        return Gguf(0.0, each, (each,) * a.num_hidden_layers, (0.0,) * a.num_hidden_layers, 0.0)
    counted = count_parameters(a)
    sparse = [any(part.share == EXPERT for part in layer) for layer in counted.layers]
    if not any(sparse):
        return _dense(a, published_bytes)
    name = format.lower().removeprefix("gguf-").removeprefix("ud-")
    rest_bits = next((bits for prefix, bits in _BITS.items() if name.startswith(prefix)), _FEW_BITS_REST)
    embedding = counted.embedding.elements * rest_bits / 8
    head = counted.head.elements * max(_HEAD_BITS, rest_bits) / 8 if counted.head else embedding
    distinct = {id(layer): layer for layer in counted.layers}
    sizes = {key: sum(_rest_bytes(part, rest_bits) for part in layer) for key, layer in distinct.items()}
    layers = tuple(sizes[id(layer)] for layer in counted.layers)
    left = max(0.0, published_bytes - embedding - head - sum(layers))
    experts = tuple(left / sum(sparse) if has else 0.0 for has in sparse)
    widest = left / sum(sparse) / 3 * (1.0 if rest_bits > 6 else _WIDEST_OF_MEAN)
    return Gguf(embedding, head, layers, experts, widest)


def _dense(a: Architecture, published_bytes: float) -> Gguf:
    """All tensors in proportion to the published size."""
    counted, wide = count_parameters(a), FORMATS["bf16"]
    whole = sum(part_bytes(part, wide) for part in counted.all(with_draft=False))
    scale = published_bytes / whole
    ends = [part_bytes(part, wide) * scale if part else 0.0 for part in (counted.embedding, counted.head)]
    layers = tuple(sum(part_bytes(part, wide) for part in layer) * scale for layer in counted.layers)
    # A tied head is the embedding once more, on the device.
    return Gguf(ends[0], ends[1] or ends[0], layers, (0.0,) * len(layers), 0.0)


def _rest_bytes(part: Part, bits: float) -> float:
    if part.share == EXPERT:
        return 0.0
    return part.elements * (bits / 8 if part.quantised else 4.0)
