"""How many bytes a tensor takes in each weight format, scales included."""

from dataclasses import dataclass

from dsdeploy.core.sizing.parameters import EXPERT, Part

_GROUP = 128
_GROUPED_INT4 = 0.5 + (2 + 0.5) / _GROUP  # AWQ and GPTQ: a 16-bit scale and a 4-bit zero point for 128 weights


@dataclass(frozen=True, slots=True)
class WeightFormat:
    """`linear_bytes` and `expert_bytes` per element of what the format covers, `block_scale_bytes` per 128 × 128 block
    and `row_scale_bytes` per output row beside them; everything else stays 16-bit. `draft` is whether such checkpoints
    carry the multi-token-prediction layer."""

    name: str
    linear_bytes: float
    expert_bytes: float
    block_scale_bytes: float = 0.0
    row_scale_bytes: float = 0.0
    draft: bool = True
    source: str = ""


FORMATS = {
    one.name: one
    for one in (
        WeightFormat("bf16", 2, 2, source="two bytes an element"),
        WeightFormat("fp8-block", 1, 1, block_scale_bytes=4, source="DeepSeek-V3 README_WEIGHTS.md: float32 per block"),
        WeightFormat("fp8-row", 1, 1, row_scale_bytes=4, source="compressed-tensors: one float32 scale per row"),
        WeightFormat("int8", 1, 1, row_scale_bytes=4, draft=False, source="W8A8: one float32 scale per output row"),
        WeightFormat("int4-group", _GROUPED_INT4, _GROUPED_INT4, draft=False, source="AWQ, GPTQ: groups of 128"),
        WeightFormat("int4-experts", 2, _GROUPED_INT4, draft=False, source="experts only, the rest 16-bit"),
        WeightFormat("nvfp4", 2, 0.5 + 1 / 16, source="NVFP4: E4M3 scale per 16; attention stays 16-bit"),
        WeightFormat("mxfp4", 2, 0.5 + 1 / 32, source="OCP MX v1.0: E8M0 scale per 32"),
        WeightFormat("fp4-experts+fp8", 1, 0.5 + 1 / 32, block_scale_bytes=1, source="DeepSeek-V4 config: E8M0 scales"),
    )
}
_NAMES = {
    **{name: "bf16" for name in ("fp16", "float16", "bfloat16", "half")},
    **{name: "fp8-block" for name in ("fp8", "float8", "fp8_e4m3")},
    **{name: "int8" for name in ("w8a8", "w8a8-int8", "int8-w8a8", "smoothquant")},
    **{
        name: "int4-group"
        for name in ("awq", "awq-int4", "gptq", "gptq-int4", "w4a16", "int4", "awq_marlin", "int4-w4a16")
    },
    **{name: "nvfp4" for name in ("fp4", "modelopt_fp4", "w4a4-nvfp4")},
    **{name: "fp4-experts+fp8" for name in ("fp8+fp4", "fp4+fp8", "native-fp4")},
}


def find_format(name: str, *, native_block: bool) -> WeightFormat | None:
    """The format that a catalogue, an engine or a person calls by `name`; None for an unknown one and for GGUF.

    `native_block` is whether the model's own FP8 has block scales; other models' FP8 has one scale a row.
    """
    wanted = _NAMES.get(name.lower(), name.lower())
    if wanted == "fp8-block" and not native_block:
        wanted = "fp8-row"
    return FORMATS.get(wanted)


def part_bytes(part: Part, format: WeightFormat) -> float:
    """Bytes of one part in `format`."""
    if not part.quantised:
        return part.elements * part.wide_bytes
    per_element = format.expert_bytes if part.share == EXPERT else format.linear_bytes
    scales = 0.0
    if per_element < 2:
        blocks = 0 if format.name == "fp4-experts+fp8" and part.share == EXPERT else part.blocks
        scales = blocks * format.block_scale_bytes + part.rows * part.count * format.row_scale_bytes
    return part.elements * per_element + scales
