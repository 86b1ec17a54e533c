"""What Ascend's communication takes of a device: no log was there to hold it against, so it is never taken as less."""

from dataclasses import replace

import pytest

from dsdeploy.adapters.engines import find_engine_adapter
from dsdeploy.core import catalogue
from dsdeploy.core.deployment import Deployment, Place
from dsdeploy.core.sizing.memory import estimate_memory
from dsdeploy.core.sizing.values import MemoryRequest

GIB, MIB = 1 << 30, 1 << 20
R1 = MemoryRequest(
    catalogue.architecture("deepseek-r1"), "w8a8-int8", "vllm-ascend", 61 * GIB, 8, 2, tensor_parallel=8,
    data_parallel=2, expert_parallel=True, max_model_len=32768, device_name="ascend-910b3",
)  # fmt: skip


def communication(request: MemoryRequest) -> float:
    return sum(one.size_bytes for one in estimate_memory(request).terms if one.name == "communication")


def test_the_group_that_exchanges_experts_takes_what_the_engine_is_told():
    one = Deployment(
        "deepseek-r1-0528", "w8a8-int8", "vllm-ascend", "0.23.0", "ascend-910b3", 8, 2, 1, 8, 1, 2, True, 32768, 16
    )
    told = find_engine_adapter("vllm-ascend").launch(one, Place("/w", "m", "/k")).environment["HCCL_BUFFSIZE"]
    assert communication(R1) == pytest.approx(2 * int(told) * MIB + 3 * 2 * 200 * MIB)


def test_a_dense_model_has_no_such_group():
    dense = replace(R1, architecture=catalogue.architecture("deepseek-r1-distill-qwen-32b"), format="bf16")
    assert communication(replace(dense, data_parallel=1, nodes=1)) == pytest.approx(2 * 200 * MIB)


def test_sglang_is_promised_no_more_than_its_own_reserve_and_the_buffers_leave():
    """Its start on 64 GB keeps 12,800 MiB and a GiB for 8 ranks away from the cache: sglang 0.5.18, memory settings."""
    asked = replace(R1, engine="sglang", engine_version="0.5.18", tensor_parallel=16, data_parallel=1,
                    expert_parallel=False)  # fmt: skip
    found = estimate_memory(asked)
    terms = {one.name: one.size_bytes for one in found.terms}
    assert terms["dynamic"] >= (12800 + 2048) * MIB
    assert terms["communication"] == 3 * 2 * 200 * MIB
    assert "sglang-on-ascend" in found.warnings
    promised = asked.device_bytes - found.weights_bytes_per_device - sum(terms.values())
    assert found.kv_cache_bytes_per_device == pytest.approx(promised)
