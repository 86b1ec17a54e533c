"""A plan as the planner writes one, with figures of no real prediction: for what shows or prices plans."""

from dsdeploy.core.band import Band
from dsdeploy.core.deployment import Deployment
from dsdeploy.core.plan import (
    Alternative,
    Change,
    DeviceMemory,
    MemoryBudget,
    Plan,
    PlannedSpeed,
    Quality,
    Rejected,
    Remark,
    Request,
)

GIB = 1 << 30


def speed(at_once: int) -> PlannedSpeed:
    user = 60 / (1 + at_once / 40)
    total = user * at_once
    first = 0.4 + at_once / 60
    return PlannedSpeed(at_once, *(Band(0.75 * each, each, 1.2 * each) for each in (user, total, first)))


def h20_plan() -> Plan:
    deployment = Deployment(
        "DeepSeek-R1-0528", "fp8", "sglang", "0.5.23", "h20-141gb", 8, 1, 1, 8, 1, 1, True, 32_768, 86
    )
    return Plan(
        request=Request(None, 300, 32_768, workload="dispatch-support", industry="energy", target="compose"),
        deployment=deployment,
        weights_origin="hub",
        weights_repo="deepseek-ai/DeepSeek-R1-0528",
        weights_revision="4236a6af538feda4548eca9ab308586007567f52",
        weights_pattern="*",
        weights_sha256=None,
        weights_bytes=688 * 10**9,
        engine_arguments=("--tp-size", "8", "--context-length", "32768", "--mem-fraction-static", "0.9"),
        memory=MemoryBudget(0, 0, 0, 0, 0),
        disk_path="/var/lib/dsdeploy",
        warnings=(Remark("plan-devices-left", {"count": "2"}, 3),),
        rejected=(
            Rejected("DeepSeek-V4-Pro", "fp4-experts+fp8", "memory", 171 * GIB, 139 * GIB, "sglang", "TP8 EP"),
            Rejected("DeepSeek-V3.2", "fp8", "kv-cache", 1_720_000, 1_310_000, "vllm", "TP8"),
            Rejected("DeepSeek-R1-0528", "bf16", "memory", 171 * GIB, 139 * GIB, "vllm", "TP8"),
            Rejected("DeepSeek-V4-Flash", "nvfp4", "format", 0, 0, "vllm", "TP8"),
        ),
        device_memory=DeviceMemory(
            139 * GIB,
            82 * GIB,
            {"context": GIB, "communication": GIB, "graphs": 2 * GIB, "other": 6 * GIB},
            33 * GIB,
            980_000,
            645_000,
        ),
        speed=speed(86),
        quality=Quality(81.0, 81.0, 1.0, "published", "https://huggingface.co/deepseek-ai/DeepSeek-R1-0528"),
        alternatives=(
            Alternative("DeepSeek-V3.1", "fp8", "vllm", "h20-141gb", 8, "TP8", 80.1, 19.0, 1_634.0, 1.9),
            Alternative("DeepSeek-R1-0528", "awq-int4", "vllm", "h20-141gb", 8, "TP8", 79.6, 24.0, 2_064.0, 1.6),
            Alternative(
                "DeepSeek-R1-Distill-Llama-70B", "fp8", "vllm", "h20-141gb", 2, "TP2", 65.2, 16.0, 1_376.0, 1.1
            ),
            Alternative(
                "DeepSeek-R1-Distill-Qwen-32B", "bf16", "vllm", "h20-141gb", 1, "TP1", 62.1, 21.0, 1_806.0, 0.8
            ),
            Alternative(
                "DeepSeek-R1-Distill-Qwen-14B", "bf16", "vllm", "h20-141gb", 1, "TP1", 59.1, 38.0, 3_268.0, 0.5
            ),
        ),
        changes=(Change("DeepSeek-V4-Pro", "fp4-experts+fp8", "devices", 8, 16, 88.0),),
        hardware_asked_at="2026-11-25T08:00:00Z",
    )
