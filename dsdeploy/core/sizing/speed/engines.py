"""What each engine and version costs per step besides the hardware: kernels, host work, scheduling defaults."""

import re
from dataclasses import dataclass, replace
from functools import cache

from dsdeploy.core.accelerators import AcceleratorSpec
from dsdeploy.core.sizing.speed.constants import Constant


@dataclass(frozen=True, slots=True)
class EngineProfile:
    """`kernels` multiplies the kernels per layer of a fully fused forward pass. `host_step_s` and `host_sequence_s` are
    seconds in which the GPU waits for scheduling, sampling and streaming, per step and per sequence in it. `launch_s`
    is the host's time per kernel where there is no CUDA graph, as in reading prompts. `attention`
    and `weight_only_experts` scale kernel efficiency of MLA decode and of AWQ and GPTQ experts. `absorbed` is False
    before MLA's latent cache. `mixed` is True where prompts share a pass with the answers under way, so that reading
    the weights is paid once.
    """

    kernels: float
    host_step_s: Constant
    host_sequence_s: Constant
    launch_s: Constant
    attention: float = 1.0
    weight_only_experts: float = 1.0
    absorbed: bool = True
    mixed: bool = True


# Kernels per layer, vLLM against SGLang: 16.1 ms a token on H100 for one user (tt-inference-server issue 356) against
# 12.8 ms on H200 for eight (InferenceX issue 870); V0: 30 ms (dzhsurf/deepseek-v3-r1-deploy-and-benchmarks).
# Kernels of early 2025 against those of today. Attention: SGLang pull request 3550, DeepSeek-V3 with long prompts
# gained 3.9 times when Triton's MLA decode gave way. Experts: vLLM pull request 14447, AWQ and GPTQ before Marlin.
# Reading 128 tokens with one user, V3's 61 layers: 27 to 56 ms in vLLM, which compiles and graphs pieces of the model;
# 157 to 184 ms in SGLang, which launches kernel by kernel, on 16 H100, 8 B200 and 8 MI300X alike.
_PIECEWISE = Constant(
    20e-6, 12e-6, 8e-6, "tt-inference-server issue 356; 'Getting started with CUDA graphs': 9.6 us per launch awaited"
)
_EAGER = Constant(
    100e-6, 70e-6, 35e-6, "tt-inference-server issue 356 and SGLang cookbook: first token of short prompts"
)
_V0_HOST = "vLLM blog 2024-09-05 'v0.6.0': API server and scheduling take 62 % of the time of an 8B step on H100"
_V1_HOST = "GPUStack performance lab: with 1000 streams vLLM 0.11 peaks at 7451 to 8890 tok/s, steps of 110 to 135 ms"
_SGLANG_HOST = (
    "GPUStack performance lab: with 1000 streams SGLang 0.5 peaks at 9.7k to 15.8k tok/s, steps of 63 to 103 ms"
)

_SGLANG_DRAFTING_HOST = (
    "SGLang documentation, speculative decoding (EAGLE): the overlap scheduler is off while tokens are drafted"
)

_VLLM_V0 = EngineProfile(
    2.0,
    Constant(8e-3, 5e-3, 3e-3, _V0_HOST),
    Constant(150e-6, 90e-6, 50e-6, _V0_HOST),
    _EAGER,
    attention=0.4,
    weight_only_experts=0.25,
)
_VLLM_BEFORE_MLA = replace(_VLLM_V0, absorbed=False)
_VLLM_V1 = EngineProfile(
    1.5, Constant(3e-3, 1.5e-3, 0.7e-3, _V1_HOST), Constant(60e-6, 35e-6, 15e-6, _V1_HOST), _PIECEWISE
)
# vLLM 0.26 says that it schedules asynchronously, the next step while the device works. DeepSeek-V2-Lite on one H200,
# one user: 3.37 ms a token, of which 1.5 are its bytes; the profile above gives 7.1. A prompt is longer than what is
# captured as graphs, so that it is launched kernel by kernel: 93 ms to the first token of 1,030.
_ASYNC_HOST = "vLLM 0.26.0 on one H200, recorded by scripts/record_vllm_gpu.py: 297 tokens/s, first token 93 ms"
_VLLM_ASYNC = replace(
    _VLLM_V1,
    kernels=1.0,
    host_step_s=Constant(1.5e-3, 0.5e-3, 0.1e-3, _ASYNC_HOST),
    host_sequence_s=Constant(60e-6, 25e-6, 8e-6, _ASYNC_HOST),
    launch_s=Constant(130e-6, 80e-6, 35e-6, _ASYNC_HOST),
)
_SGLANG = EngineProfile(
    1.0, Constant(1.5e-3, 0.7e-3, 0.3e-3, _SGLANG_HOST), Constant(35e-6, 18e-6, 8e-6, _SGLANG_HOST), _EAGER, mixed=False
)


# SGLang issue 3656, February 2025: 19 tokens per second for one user on 16 H100. tt-inference-server issue 356, July:
# 43.
_SGLANG_EARLY = replace(_SGLANG, kernels=2.0, attention=0.4)
_SGLANG_DRAFTING = replace(
    _SGLANG,
    host_step_s=Constant(7e-3, 4e-3, 2e-3, _SGLANG_DRAFTING_HOST),
    host_sequence_s=Constant(50e-6, 30e-6, 15e-6, _SGLANG_DRAFTING_HOST),
)


# Nobody's measurement of SGLang on Ascend was there to hold this against: as many kernels and as long a wait for the
# host as vLLM's, prompts in passes of their own.
_SGLANG_ON_ASCEND = replace(_VLLM_V1, launch_s=_EAGER, mixed=False)


@cache
def engine_profile(
    engine: str, version: str | None, drafting: bool = False, vendor: str | None = None
) -> EngineProfile:
    """The profile of this version; a version that is not stated is taken as recent."""
    number = _number(version)
    if engine == "sglang":
        if vendor == "ascend":
            return _SGLANG_ON_ASCEND
        # Up to 0.4.3 FlashInfer's MLA was an option (pull request 3550).
        if number is not None and number < (0, 4, 4):
            return _SGLANG_EARLY
        return _SGLANG_DRAFTING if drafting else _SGLANG
    if number is not None and number < (0, 8, 0):
        # Release notes of 0.7.1: the latent cache replaces full keys and values.
        return _VLLM_V0 if number >= (0, 7, 1) else _VLLM_BEFORE_MLA
    return _VLLM_ASYNC if number is not None and number >= (0, 26, 0) and vendor == "nvidia" else _VLLM_V1


def default_batched_tokens(engine: str, accelerator: AcceleratorSpec, dp: int) -> int:
    """Prompt tokens that one attention replica takes in a step when the user sets nothing.

    vLLM `EngineArgs.get_batch_defaults`, API server: 8192 from 70 GiB of memory unless it is an A100, else 2048. SGLang
    `ServerArgs`: 2048 below 35 GiB, 16384 from 160 GiB, else 8192, shared by the replicas of data-parallel attention.
    """
    memory = accelerator.memory_nominal_bytes
    if engine == "sglang":
        return max(1, (2048 if memory < 35 << 30 else 16384 if memory >= 160 << 30 else 8192) // dp)
    return 8192 if memory >= 70 << 30 and "a100" not in accelerator.id else 2048


def graph_sequences(engine: str, ranks: int, vendor: str | None = None) -> int:
    """The largest decode batch of one attention replica that CUDA graphs are captured for by default.

    SGLang `cuda_graph_max_bs`: 256 on fewer than 4 devices, else 512. vLLM `cudagraph_capture_sizes`: up to 512.
    On Ascend SGLang sets 64 and 256 (0.5.18, `hardware_backend/npu/utils.py`).
    """
    if engine == "sglang" and vendor == "ascend":
        return 64 if ranks < 4 else 256
    return 256 if engine == "sglang" and ranks < 4 else 512


def llama_cpp_absorbs(version: str | None) -> bool:
    """False for builds named by a month before April 2025, which stored full keys and values (pull request 12801)."""
    month = re.fullmatch(r"(\d{4})-(\d{2}).*", version or "")
    return month is None or (int(month[1]), int(month[2])) >= (2025, 4)


def _number(version: str | None) -> tuple[int, ...] | None:
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", version or "")
    return tuple(int(part or 0) for part in found.groups()) if found else None
