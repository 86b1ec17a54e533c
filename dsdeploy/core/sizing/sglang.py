"""SGLang's own choice of `mem_fraction_static`, by version.

Source: sglang 0.4.5, 0.4.6.post5, 0.4.7, 0.4.8, 0.4.9, 0.5.2, 0.5.3, 0.5.4, 0.5.10 `srt/server_args.py` and 0.5.23
`srt/arg_groups/memory_hook.py` (`handle_gpu_memory_settings`), read one by one; MiB throughout. On Ascend 0.5.18 sets
smaller graphs (64 and 256 sequences, `srt/hardware_backend/npu/utils.py`) and reserves less: the larger are kept here.
"""

from dsdeploy.core.sizing.values import MemoryRequest

_MIB, _GIB_MIB = 1 << 20, 1024
_RANK_SHARES = ((1, 0.88), (3, 0.87), (7, 0.85), (15, 0.81))
_MANY_RANKS_SHARE = 0.79
_BY_MEMORY_SINCE, _RESERVED_SINCE, _COUNTED_SINCE, _PIECEWISE_SINCE = (0, 4, 6), (0, 4, 8), (0, 5, 3), (0, 5, 10)
# By the memory below which they hold: (MiB, tokens of a prefill chunk, largest decode graph below 4 ranks, and from 4).
_SETTINGS = (
    (20 * _GIB_MIB, 2048, 8, 8),
    (35 * _GIB_MIB, 2048, 24, 80),
    (60 * _GIB_MIB, 4096, 32, 160),
    (160 * _GIB_MIB, 8192, 256, 512),
    (1 << 40, 16384, 512, 512),
)
_LATER_SMALL = (35 * _GIB_MIB, 4096, 48, 160)  # 0.5.23


def static_fraction(request: MemoryRequest, version: tuple[int, ...]) -> float:
    ranks, memory = request.tensor_parallel * request.pipeline_parallel, request.device_bytes / _MIB
    if version < _RESERVED_SINCE:
        return _by_ranks(ranks, memory, version)
    reserved = _reserved(ranks, memory) if version < _COUNTED_SINCE else _counted(request, ranks, memory, version)
    if request.draft_layers:
        reserved += (4 if version >= _PIECEWISE_SINCE else 2) * _GIB_MIB
    return round((memory - reserved) / memory, 3)


def _by_ranks(ranks: int, memory: float, version: tuple[int, ...]) -> float:
    share = next((share for most, share in _RANK_SHARES if ranks <= most), _MANY_RANKS_SHARE)
    if version < _BY_MEMORY_SINCE:
        return share
    if memory > 81920:
        share = 0.88
    if version >= (0, 4, 7) and memory > 180_000:
        return 0.79
    if memory > 96 * _GIB_MIB:
        return min(share + 48 * _GIB_MIB * (1 - share) / memory, (memory - 18 * _GIB_MIB) / memory)
    return share


def _reserved(ranks: int, memory: float) -> float:
    if memory < 35 * _GIB_MIB:
        return (2.8 + ranks / 10) * _GIB_MIB
    if memory < 90 * _GIB_MIB:
        return (9.5 + ranks / 2) * _GIB_MIB
    return (12 + ranks / 2) * _GIB_MIB if memory < 160 * _GIB_MIB else 32.0 * _GIB_MIB


def _counted(request: MemoryRequest, ranks: int, memory: float, version: tuple[int, ...]) -> float:
    """Prefill's activations, graphs of decoding and of prefill, and a little for each rank."""
    limit, chunk, few, many = next(row for row in _SETTINGS if memory < row[0])
    if version > _PIECEWISE_SINCE and limit == _LATER_SMALL[0]:
        _, chunk, few, many = _LATER_SMALL
    graph = few if request.tensor_parallel < 4 else many
    reserved = 512 + 1.5 * chunk + 2 * graph + ranks / 8 * _GIB_MIB
    if request.data_parallel > 1:
        reserved += graph * request.data_parallel * (4.5 if graph > 300 else 3)
    if version >= _PIECEWISE_SINCE:
        reserved += 1.5 * _GIB_MIB if request.architecture.kv_lora_rank else 8 * _piecewise_sizes(chunk)
    return max(reserved, 10.0 * _GIB_MIB) if memory > 60 * _GIB_MIB else reserved


def _piecewise_sizes(largest: int) -> int:
    steps = ((4, 33, 4), (48, 257, 16), (288, 513, 32), (576, 1025, 64), (1280, 4097, 256), (4608, largest + 1, 512))
    return sum(size <= largest for first, end, step in steps for size in range(first, end, step))
