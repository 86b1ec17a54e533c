"""What engines say of themselves when they start, read from their logs."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

# vLLM: vllm/v1/core/kv_cache_utils.py, vllm/entrypoints/openai/api_server.py. SGLang: python/sglang/srt/managers/
# scheduler.py. llama.cpp: tools/server (build_info, n_slots and n_ctx_slot).
_VERSIONS = (
    re.compile(r"vLLM API server version (\S+)"),
    re.compile(r"Initializing a V1 LLM engine \(v([^)]+)\)"),
    re.compile(r"sglang(?: version)?[ =:v]+(\d+\.\d+\S*)", re.IGNORECASE),
    re.compile(r"build_info: (\S+)"),
    re.compile(r"\bbuild: (\d+) \("),
)
_TOKENS = (
    re.compile(r"GPU KV cache size: ([\d,]+) tokens"),
    re.compile(r"\bKV cache size: ([\d,]+) tokens"),
    re.compile(r"max_total_num_tokens=(\d+)"),
)
_SLOTS = re.compile(r"n_slots = (\d+), n_ctx_slot = (\d+)")
_RDMA = re.compile(r"NCCL INFO (?:Using network|NET/)\s*(IB|Socket|\S+)")


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """None is what its log does not say. `network` is NCCL's own word for what carries its traffic: IB, Socket …"""

    version: str | None
    kv_cache_tokens: int | None
    network: str | None


def read_facts(lines: Iterable[str]) -> EngineFacts:
    """What the last start told: a log may hold several."""
    version = tokens = network = None
    for line in lines:
        version = _first(_VERSIONS, line) or version
        if told := _first(_TOKENS, line):
            tokens = int(told.replace(",", ""))
        elif slots := _SLOTS.search(line):
            tokens = int(slots[1]) * int(slots[2])
        if carried := _RDMA.search(line):
            network = carried[1]
    return EngineFacts(version, tokens, network)


def _first(patterns: tuple[re.Pattern[str], ...], line: str) -> str | None:
    return next((found[1] for one in patterns if (found := one.search(line))), None)
