"""V4's KV cache as vLLM lays it out: layers of different windows share one pool of blocks of one size.

Source: vLLM 0.32, `vllm/models/deepseek_v4/attention.py`, `compressor.py` (`CompressorStateCache`) and
`vllm/v1/attention/backends/mla/sparse_swa.py` for each cache's rows; `vllm/v1/core/kv_cache_utils.py`
(`_get_packed_kv_cache_groups`, `_get_kv_cache_bytes_per_block`, `_max_memory_usage_bytes_from_groups`) for the pool;
until 0.28 `_get_kv_cache_groups_uniform_groups` of the same file.
"""

from dataclasses import dataclass
from functools import cache

ALIGNMENT_BYTES = 576  # FlashMLA's stride: every page of `fp8_ds_mla` is rounded up to it
ROW_BYTES, INDEX_ROW_BYTES = 584, 132
BLOCK_TOKENS, _WINDOW_BLOCK_TOKENS = 256, 64
_STATE_BLOCKS = {4: 4, 128: 8}  # tokens in a block of a compressor's float32 states, by ratio
_PACKED_SINCE = (0, 29)


@dataclass(frozen=True, slots=True)
class HybridCache:
    """`block_bytes` is the widest group's. Each group claims its own blocks of the pool: one for `BLOCK_TOKENS` tokens
    of context, and for each of `windows` (groups, window, tokens in a block) what a step in flight may hold."""

    block_bytes: int
    windows: tuple[tuple[int, int, int], ...]

    def request_bytes(self, tokens: int, in_flight_tokens: int) -> float:
        """What one request of `tokens` must find free (`SlidingWindowSpec.max_admission_blocks_per_request`): a window
        need not begin with a block, hence one more."""
        blocks = -(-tokens // BLOCK_TOKENS)
        for groups, window, block in self.windows:
            blocks += groups * (-(-min(window - 1 + in_flight_tokens, tokens) // block) + 1)
        return float(self.block_bytes * blocks)


@cache
def hybrid_cache(
    ratios: tuple[int, ...], window: int, width: int, index_width: int, version: tuple[int, ...]
) -> HybridCache:
    """`ratios` of the layers that are run, 0, 4 or 128; `width` of a head, `index_width` of an indexer's."""
    indexed, sparse = ratios.count(4), ratios.count(128)
    row = _page(ROW_BYTES * BLOCK_TOKENS // 4)
    index_row = _page(INDEX_ROW_BYTES * BLOCK_TOKENS // 4)
    far_row = _page(ROW_BYTES * BLOCK_TOKENS // 128)
    tuples = _closest_divisor((len(ratios), indexed, sparse), max(indexed, sparse))
    full = indexed * (row + index_row) + sparse * far_row
    if version < _PACKED_SINCE:
        # One tuple of pages for each layer of the fullest kind, the other groups padded to it.
        block_bytes = tuples * (row + index_row + far_row)
    else:
        states = _page(2 * 2 * width * 4 * _STATE_BLOCKS[4]), _page(2 * 2 * index_width * 4 * _STATE_BLOCKS[4])
        far_states = _page(2 * width * 4 * _STATE_BLOCKS[128])
        near = -(-len(ratios) // -(-len(ratios) // tuples)) * _page(ROW_BYTES * _WINDOW_BLOCK_TOKENS)
        block_bytes = max(full, near, indexed * sum(states), -(-sparse // -(-sparse // tuples)) * far_states)
    windows = (
        (-(-len(ratios) // tuples), window, _WINDOW_BLOCK_TOKENS),
        (-(-indexed // tuples), 2 * 4, _STATE_BLOCKS[4]),
        (-(-sparse // tuples), 128, _STATE_BLOCKS[128]),
    )
    return HybridCache(block_bytes, windows)


def _page(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def _closest_divisor(values: tuple[int, ...], least: int) -> int:
    """`_approximate_gcd`: the group size that pads least, the larger of two equal ones."""
    return min(range(least, max(values) + 1), key=lambda size: (sum(-value % size for value in values), -size))
