"""Vision towers, tensor by tensor: all stay 16-bit, and the totals published with them come out to the element.

`vision_config` of a catalogue entry names the `tower`; V4's own is described by its sizes.
"""

from dsdeploy.core.architecture import Architecture
from dsdeploy.core.sizing.parts import COPIED, SPLIT, Part


def vision_parts(a: Architecture) -> tuple[Part, ...]:
    shape = a.vision_config or {}
    if "downsample_ratio" in shape:
        return _hybrid_tower(shape, a.hidden_size)
    tower = _TOWERS.get(shape.get("tower", ""))
    return tower(a.hidden_size) if tower else ()


def _hybrid_tower(shape: dict[str, int], hidden: int) -> tuple[Part, ...]:
    """V4's (vllm/models/deepseek_v4/common/vision.py of 0.32)."""
    width, inner, layers = shape["hidden_size"], shape["intermediate_size"], shape["num_hidden_layers"]
    joined = width * shape["downsample_ratio"] ** 2
    return (
        _wide("patches", width, 3 * shape["patch_size"] ** 2 + 1),
        _wide("vision attention", width, width + 1, 4 * layers, SPLIT),
        _wide("vision mlp", inner, width, 3 * layers, SPLIT),
        _wide("vision norms", 1, width, 2 * layers + 1),
        _wide("aligner up", hidden, joined + 1, share=SPLIT), _wide("aligner down", hidden, hidden + 1, share=SPLIT),
        _wide("image marks", 3, hidden),
    )  # fmt: skip


def _siglip(hidden: int) -> tuple[Part, ...]:
    """DeepSeek-VL2's: SigLIP SO400M, patches of 14 of 384 pixels, with its pooling head; four patches become one token
    (deepseek-ai/DeepSeek-VL2, `siglip_vit.py` and `MlpProjector`)."""
    width, inner, layers = 1152, 4304, 27
    return (
        _wide("patches", width, 3 * 14**2 + 1), _wide("positions", 27**2, width),
        *_blocks(width, inner, layers), _wide("vision norm", 2, width),
        _wide("pooling", width, 4 * width + 4), _wide("pooling query and norm", 3, width), *_perceptron(width, inner),
        _wide("projector up", hidden, 4 * width + 1), _wide("projector down", hidden, hidden + 1),
        _wide("image marks", 2, hidden),
    )  # fmt: skip


def _deep_encoder(hidden: int) -> tuple[Part, ...]:
    """DeepSeek-OCR's: SAM ViT-B, two convolutions, CLIP ViT-L (deepseek-ai/DeepSeek-OCR, `deepencoder.py`)."""
    width, layers = 1024, 24
    return (
        *_sam(1024),
        _wide("clip patches", width, 3 * 14**2 + 1), _wide("clip positions", 257, width),
        *_blocks(width, 4 * width, layers), _wide("clip norm", 2, width),
        _wide("projector", hidden, 2 * width + 1), _wide("image marks", 2, hidden),
    )  # fmt: skip


def _deep_encoder_2(hidden: int) -> tuple[Part, ...]:
    """DeepSeek-OCR-2's: SAM ViT-B, two convolutions, the layers of Qwen2-0.5B with 144 and 256 queries."""
    width, inner, layers, keys = 896, 4864, 24, 128
    return (
        *_sam(width),
        _wide("queries", 144 + 256, width),
        _wide("encoder attention", width, 2 * width + 1 + 2 * keys, layers), _wide("encoder key bias", 2, keys, layers),
        _wide("encoder mlp", inner, width, 3 * layers), _wide("encoder norms", 1, width, 2 * layers + 1),
        _wide("projector", hidden, width + 1), _wide("image marks", 1, hidden),
    )  # fmt: skip


_TOWERS = {"siglip-so400m-384": _siglip, "deepencoder": _deep_encoder, "deepencoder-2": _deep_encoder_2}


def _sam(outputs: int) -> tuple[Part, ...]:
    """SAM ViT-B: four of twelve layers attend globally, each with relative positions for both axes; its neck, and two
    strided convolutions of 3 × 3."""
    width = 768
    return (
        _wide("sam patches", width, 3 * 16**2 + 1), _wide("sam positions", 64**2, width),
        *_blocks(width, 4 * width, 12),
        _wide("sam relative positions", 8 * (2 * 14 - 1) + 4 * (2 * 64 - 1), 2 * 64),
        _wide("sam neck", 256, width + 9 * 256 + 4),
        _wide("sam strides", 512, 9 * (256 + outputs)),
    )  # fmt: skip


def _blocks(width: int, inner: int, layers: int) -> tuple[Part, ...]:
    return (
        _wide("vision attention", width, 4 * width + 4, layers), _wide("vision norms", 4, width, layers),
        *(Part(one.name, one.rows, one.columns, COPIED, False, layers) for one in _perceptron(width, inner)),
    )  # fmt: skip


def _perceptron(width: int, inner: int) -> tuple[Part, ...]:
    return (_wide("vision mlp up", inner, width + 1), _wide("vision mlp down", width, inner + 1))


def _wide(name: str, rows: int, columns: int, count: int = 1, share: str = COPIED) -> Part:
    return Part(name, rows, columns, share, quantised=False, count=count)
