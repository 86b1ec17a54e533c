"""What is said where nothing can run: what is missing, and what to do."""

from dataclasses import replace

import pytest

from dsdeploy.core.errors import NoModelFits
from dsdeploy.core.plan import Request
from dsdeploy.stages.plan import Pools, choose_plan, pool_to_buy
from tests.unit.plan.fleets import fleet, node, wants


@pytest.mark.parametrize(
    ("accelerator", "request_", "said"),
    [
        ("Gaudi 3", Request(None, 1, 4096, "auto"), ("No image", "vllm-vendor (bf16", "--accelerator gaudi3")),
        ("MLU370", Request(None, 1, 4096, "auto"), ("No image", "none that is known")),
        ("Ascend 310P", Request("deepseek-v3", 1, 4096, "auto"), ("No weights", "vllm-ascend (fp16)")),
        ("NVIDIA H20", Request("deepseek-v3", 1, 4096, "process", format="fp8-block"), ("llama.cpp alone", "--target")),
        ("V100-SXM2-32GB", Request("deepseek-v3", 1, 4096, "auto", format="fp8-block"), ("V100", "llama.cpp (gguf)")),
    ],
)
def test_a_refusal_names_what_is_missing_and_a_way_on(accelerator, request_, said):
    with pytest.raises(NoModelFits) as refused:
        choose_plan(request_, Pools((pool_to_buy(accelerator, 8, 1, None, None),)))
    words = " ".join(one.render("en") for one in (refused.value.message, refused.value.hint))
    assert all(one in words for one in said), words
    assert refused.value.message.render("zh")


@pytest.mark.parametrize("limit", [{"min_quality": 99.0}, {"max_first_token_s": 1e-4}, {"min_tokens_per_s": 1e6}])
def test_a_processor_never_steps_in_below_what_was_asked(limit):
    with pytest.raises(NoModelFits):
        choose_plan(wants(users=1, context=4096, **limit), fleet(node("a", 8)))


def test_a_change_that_is_told_holds_for_the_engine_that_was_asked_for():
    """Another engine would fit unchanged: what is told must be this one's."""
    hardware = Pools((pool_to_buy("ascend-910b3", 8, 2, None, None),))
    asked = Request("deepseek-r1-0528", 8, 8192, "auto", engine="sglang")
    with pytest.raises(NoModelFits) as refused:
        choose_plan(asked, hardware)
    assert "2 users instead of 8" in refused.value.hint.render("en")
    found = choose_plan(replace(asked, users=2), hardware)
    assert (found.engine, found.deployment.tensor_parallel, found.deployment.nodes) == ("sglang", 16, 2)
    assert choose_plan(replace(asked, engine=None), hardware).engine == "vllm-ascend"
