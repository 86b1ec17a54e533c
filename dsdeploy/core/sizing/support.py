"""Whether an engine runs a weight format on a chip, and in which number types it then multiplies."""

from dsdeploy.core.accelerators import AcceleratorSpec, formats_run
from dsdeploy.core.architecture import Architecture
from dsdeploy.core.sizing.formats import find_format
from dsdeploy.core.sizing.parameters import count_elements, countable
from dsdeploy.core.sizing.speed.values import TensorFormat, WeightFormats

# Formats that one chip cannot multiply but can unpack.
_UNPACKED = {"fp8": "fp8-weight-only", "fp8-block": "fp8-weight-only", "nvfp4": "fp4-weight-only"}
_NUMBER_TYPES = {"fp8-block": "fp8", "fp8-row": "fp8", "int8": "int8", "fp4-experts+fp8": "fp8", "nvfp4": "fp4"}
_ALIASES = {"fp8": "fp8-block", "awq": "awq-int4", "gptq": "gptq-int4", "w8a8": "w8a8-int8", "fp4": "nvfp4"}


def same_format(known: str, wanted: str) -> bool:
    """Whether a catalogue's `known` is what a person calls `wanted`."""
    return known == wanted or known == _ALIASES.get(wanted)


def format_support(spec: AcceleratorSpec, engine: str, format: str, a: Architecture) -> str:
    """native, unpacked (stored so, multiplied in 16 bits) or none, by the engine's documents. Raises UnknownEngine."""
    runs, name = formats_run(spec, engine), format.lower()
    if engine.lower() == "sglang" and _target(spec) in _SGLANG_PLAIN and _is_sparse(a):
        return "none"
    if name.startswith("gguf"):
        wanted: tuple[str, ...] = ("gguf",)
    elif a.expert_dtype == "fp4" and name.startswith("fp8"):
        wanted = ("fp4-experts+fp8",)
    elif name in ("fp16", "bf16"):
        # Where a chip has no bf16, vLLM and SGLang cast a checkpoint to fp16, whose range dense models keep to; the
        # experts of DeepSeek-V2 and later leave it (vLLM's deepseek_v2.py scales them for fp16).
        wanted = ("bf16",) if name == "bf16" and a.n_routed_experts else ("bf16", "fp16")
    else:
        wanted = tuple(one for one in (*runs, *_UNPACKED) if same_format(one, name)) or (name,)
    if any(one in runs for one in wanted):
        return "native"
    return "unpacked" if any(_UNPACKED.get(one) in runs for one in wanted) else "none"


def weight_formats(a: Architecture, name: str, published_bytes: float | None) -> WeightFormats:
    """How the groups of tensors are stored and multiplied.

    A GGUF mixes types by tensor: its mean bits stand for all, unpacked to 16 bits where they are multiplied.
    """
    format = find_format(name, native_block="weight_block_size" in (a.quantization_config or {}))
    if format is None:
        elements = count_elements(a) if countable(a) else 0
        mean = TensorFormat(8 * (published_bytes or 0) / elements if elements else 16, "bf16")
        return WeightFormats(mean, mean, mean, mean)
    type_ = _NUMBER_TYPES.get(format.name, "bf16")
    dense = TensorFormat(8 * format.linear_bytes, type_ if format.linear_bytes < 2 else "bf16")
    return WeightFormats(dense, dense, TensorFormat(8 * format.expert_bytes, type_))


# Sparse attention's kernels: DeepGEMM and FlashMLA on sm90 and sm100, AITER on gfx942 and gfx950, CANN's on 910B and
# 910C (vllm-project/recipes, DeepSeek-V3.2: "sm90+"; vllm-ascend's DeepSeek-V3.2 tutorial; SGLang's cookbook).
_SPARSE = frozenset(("sm90", "sm100", "sm103", "gfx942", "gfx950", "910b", "910c"))


# SGLang's runs of sparse attention on Ascend spread experts by DeepEP, which is not started here (model tutorials,
# deepseek_v3_2.mdx).
_SGLANG_PLAIN = frozenset(("910b", "910c"))


def attention_support(spec: AcceleratorSpec, a: Architecture) -> str:
    """native or none: whether this chip has kernels for the model's attention, where that needs its own."""
    sparse, target = _is_sparse(a), _target(spec)
    # vllm-ascend's tutorial for the 310P names plain attention alone.
    compressed = target == "310p" and a.kv_lora_rank
    return "none" if compressed or (sparse and target not in _SPARSE) else "native"


def _is_sparse(a: Architecture) -> bool:
    return bool(a.index_topk or a.compress_ratios or a.kv_source_layer_ids)


def _target(spec: AcceleratorSpec) -> str:
    return (spec.architecture or "").rpartition(" ")[2]
