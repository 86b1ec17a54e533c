"""How much of the datasheet real kernels reach, and the fixed costs: each with meaning, source and spread."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Constant:
    """`low` makes the prediction slow, `high` makes it fast, whichever way the number itself runs."""

    low: float
    expected: float
    high: float
    source: str


# Share of memory bandwidth that a product streaming weights reaches; thin slices of a sharded matrix reach less.
WEIGHT_STREAM = Constant(
    0.55, 0.7, 0.85, "FlashMLA README: 3000 of 3350 GB/s on H800 at best; thin tensor-parallel slices less"
)
# Share of memory bandwidth when attention reads its cache.
CACHE_STREAM = Constant(0.45, 0.65, 0.85, "FlashMLA README: 3000 of 3350 GB/s on H800 at best")
# Share of dense peak in large matrix products, by number type.
PRODUCT = {
    "bf16": Constant(
        0.45,
        0.6,
        0.75,
        "SemiAnalysis 2024-12-22 'MI300X vs H100 vs H200': 720 of 989 TFLOP/s on H100 in large products",
    ),
    "fp8": Constant(
        0.3, 0.45, 0.65, "DeepGEMM README: at most 1550 of 1979 TFLOP/s on H800; fine-grained scales cost the rest"
    ),
    "int8": Constant(0.3, 0.45, 0.65, "as FP8: the same tensor-core rate and the same per-token scales"),
    "fp4": Constant(0.2, 0.35, 0.5, "below FP8: no figure is published for the shapes of these models"),
}
# Share of NVIDIA's efficiency that others reach in products; 1 where nothing is published.
PRODUCT_BY_VENDOR = {
    # SemiAnalysis 2024-12-22, 'MI300X vs H100 vs H200': 620 of 1307 (bf16) and 990 of 2615 (fp8) against 720 of 989 and
    # 1280 of 1979.
    "amd": 0.6,
}
# Grouped products of many small experts against one large product.
GROUPED = Constant(0.45, 0.65, 0.9, "DeepGEMM README: grouped products, each expert padded to the tile of M rows")
# Share of bf16 peak in attention over long contexts.
ATTENTION = Constant(0.3, 0.45, 0.65, "FlashMLA README: 660 of 989 TFLOP/s dense, 410 sparse with FP8 cache, on H800")
# One kernel inside a CUDA graph, at the least: launch gap, ramp up, tail. Seconds.
KERNEL = {
    "nvidia": Constant(
        5e-6,
        3.5e-6,
        2.5e-6,
        "NVIDIA developer blog, 'Getting started with CUDA graphs': 3.4 us per short kernel in a graph",
    ),
    "amd": Constant(
        15e-6,
        10e-6,
        6e-6,
        "SGLang cookbook, DeepSeek-V3.1 on MI300X: 24 ms per token for one user, most of it short kernels",
    ),
    "other": Constant(12e-6, 8e-6, 5e-6, "taken as AMD's and wider: no published figure"),
}
# Share of a link's bandwidth in large collectives.
LINK = Constant(0.5, 0.7, 0.85, "DeepEP README: 153 of 160 GB/s reachable NVLink on H800; nccl-tests all-reduce")
# One collective with little data, seconds.
COLLECTIVE = {
    "nvlink": Constant(
        25e-6, 13e-6, 7e-6, "assumed: one-shot kernels need a few us, waiting for the slowest of 8 ranks the rest"
    ),
    "fabric": Constant(40e-6, 22e-6, 12e-6, "assumed: twice NVLink's, no switch and no one-shot kernels"),
    "pcie": Constant(90e-6, 45e-6, 25e-6, "assumed: NCCL through host memory"),
    "network": Constant(
        220e-6,
        110e-6,
        60e-6,
        "arXiv 2511.09557: NCCL all-reduce between nodes; DeepEP legacy README: 77 us dispatch, 114 us combine at EP 8",
    ),
}
# The most loaded rank against the mean when whole experts sit on ranks.
IMBALANCE = Constant(
    1.6, 1.35, 1.1, "SGLang blog 2025-05-05: balancing experts gains 1.49x in prefill, 2.54x in decode at EP 72"
)
# Share of an exchange that stays visible when two half batches take turns.
NOT_HIDDEN = Constant(
    0.4,
    0.2,
    0.1,
    "assumed: SGLang blog 2025-05-05 reports 27 to 35 % more prefill throughput, not how much stays visible",
)
# Share of drafted tokens that are kept.
MTP_ACCEPTANCE = Constant(
    0.7, 0.85, 0.9, "DeepSeek-V3 technical report, section 5.4.3: 85 to 90 % for the second token"
)
