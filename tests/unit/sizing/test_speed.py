from dataclasses import replace

import pytest

from dsdeploy.core.accelerators import find_accelerator
from dsdeploy.core.architecture import from_config
from dsdeploy.core.catalogue import find_model
from dsdeploy.core.errors import InvalidRequest
from dsdeploy.core.sizing.speed import BF16, SpeedRequest, SpeedUnknown, TensorFormat, WeightFormats, predict_speed
from dsdeploy.core.sizing.speed.roofline import distinct_experts
from dsdeploy.core.sizing.speed.shape import attention_work, shape_of

FP8, Q4 = TensorFormat(8, "fp8"), TensorFormat(4.85, "bf16")
R1 = from_config(find_model("deepseek-ai/DeepSeek-R1")["architecture"])
V32 = from_config(find_model("deepseek-ai/DeepSeek-V3.2")["architecture"])
DISTILL = from_config(find_model("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B")["architecture"])
ON_H200 = SpeedRequest(R1, WeightFormats(FP8, FP8, FP8), find_accelerator("H200"), "sglang", tp=8)
ON_HOST = SpeedRequest(
    R1,
    WeightFormats(Q4, Q4, Q4, Q4),
    None,
    "llama.cpp",
    prompt_tokens=512,
    output_tokens=128,
    host_share=1.0,
    host_memory_bytes_per_s=300e9,
)


def expected(request, name="decode_tokens_per_s_per_user"):
    return getattr(predict_speed(request), name).expected


def test_active_parameters_are_the_published_37_billion():
    shape = shape_of(R1)
    active = shape.layers * (shape.attention_split + shape.attention_copied) + shape.dense_layers * shape.dense_mlp
    active += shape.moe_layers * (shape.shared_experts + shape.active_experts * shape.expert) + shape.head
    assert active == pytest.approx(37e9, rel=0.02)


@pytest.mark.parametrize(("tokens", "distinct"), [(1, 8), (0, 0), (10**6, 256)])
def test_distinct_experts_run_from_the_chosen_to_all(tokens, distinct):
    assert distinct_experts(256, 8, tokens) == pytest.approx(distinct)


def test_bands_are_ordered_and_not_absurdly_wide():
    speed = predict_speed(replace(ON_H200, concurrency=32))
    for band in (
        speed.decode_tokens_per_s_per_user,
        speed.decode_tokens_per_s_total,
        speed.output_tokens_per_s_total,
        speed.prefill_tokens_per_s,
    ):
        assert band.low < band.expected < band.high < 4 * band.low
    for band in (speed.ttft_s, speed.burst_ttft_s):
        assert band.high < band.expected < band.low


def test_terms_add_up_to_the_step_and_name_their_sources():
    speed = predict_speed(ON_H200)
    assert 1 / sum(term.seconds for term in speed.terms.values()) == pytest.approx(
        speed.decode_tokens_per_s_per_user.expected
    )
    assert all(term.source for term in speed.terms.values())


def test_one_user_waits_for_kernels_and_many_for_memory():
    assert predict_speed(ON_H200).bound == "overhead"
    assert predict_speed(replace(ON_H200, concurrency=64)).bound == "memory"


def test_more_users_give_more_in_all_and_less_to_each():
    few, many = replace(ON_H200, concurrency=4), replace(ON_H200, concurrency=64)
    assert expected(few) > expected(many)
    assert expected(few, "output_tokens_per_s_total") < expected(many, "output_tokens_per_s_total")
    assert expected(few, "burst_ttft_s") < expected(many, "burst_ttft_s")


def test_prompts_of_others_cost_output():
    speed = predict_speed(replace(ON_H200, concurrency=64, prompt_tokens=8000))
    assert speed.output_tokens_per_s_total.expected < speed.decode_tokens_per_s_total.expected


def test_fp8_on_ampere_computes_in_bf16():
    on_a100 = replace(ON_H200, accelerator=find_accelerator("A100-SXM4-80GB"), prompt_tokens=8192)
    in_bf16 = replace(on_a100, weights=WeightFormats(*[TensorFormat(8, "bf16")] * 3))
    assert expected(on_a100, "prefill_tokens_per_s") == expected(in_bf16, "prefill_tokens_per_s")


def test_sparse_attention_reads_no_more_than_its_top_k_rows():
    assert attention_work(V32, 64_000, 8, 2, False).read_bytes == 2048 * 576 * 2
    assert attention_work(R1, 64_000, 8, 2, False).read_bytes == 64_000 * 576 * 2


def test_gqa_cache_is_shared_by_ranks_and_mla_is_not():
    assert (
        attention_work(DISTILL, 1000, 8, 2, False).read_bytes * 8
        == attention_work(DISTILL, 1000, 1, 2, False).read_bytes
    )
    assert attention_work(R1, 1000, 8, 2, False).read_bytes == attention_work(R1, 1000, 1, 2, False).read_bytes


def test_an_fp8_cache_is_read_faster():
    long = replace(ON_H200, concurrency=64, prompt_tokens=32_000)
    assert expected(replace(long, kv_cache_dtype="fp8")) > expected(long)


def test_pcie_is_slower_than_nvlink_and_a_network_slower_still():
    h100 = replace(ON_H200, accelerator=find_accelerator("H100 PCIe"))
    sxm = replace(ON_H200, accelerator=find_accelerator("H100"))
    across = replace(sxm, tp=16, nodes=2, internode_bytes_per_s=50e9)
    sums = [predict_speed(one).terms["tensor-parallel sums"].seconds for one in (sxm, h100, across)]
    assert sums == sorted(sums)


def test_a_bridge_of_four_does_not_join_eight():
    four = replace(ON_H200, accelerator=find_accelerator("H200 NVL"), tp=4)
    eight = replace(four, tp=8)
    ratio = [predict_speed(one).terms["tensor-parallel sums"].seconds for one in (four, eight)]
    assert ratio[1] > 2 * ratio[0]


def test_data_parallel_attention_serves_long_contexts_better():
    long = replace(ON_H200, concurrency=128, prompt_tokens=16_000)
    assert expected(replace(long, tp=1, dp=8)) > expected(long)


def test_pipeline_stages_raise_the_total_not_the_single_user():
    stages = replace(ON_H200, tp=4, pp=2)
    assert expected(stages) <= expected(ON_H200)
    many = replace(stages, concurrency=64)
    assert predict_speed(many).terms["pipeline sends"].bound == "communication"


def test_accepted_drafts_speed_up_one_user():
    assert expected(replace(ON_H200, mtp_draft_tokens=1, mtp_acceptance=0.9)) > expected(ON_H200)
    assert expected(replace(ON_H200, mtp_draft_tokens=1, mtp_acceptance=0.0)) < expected(ON_H200)


def test_engines_of_early_2025_are_slower():
    vllm = replace(ON_H200, engine="vllm", concurrency=32)
    old, older, new = (replace(vllm, engine_version=version) for version in ("0.7.3", "0.6.6", "0.11.0"))
    assert expected(older) < expected(old) < expected(new)


def test_sglang_before_fused_mla_is_slower():
    assert expected(replace(ON_H200, engine_version="0.4.2")) < expected(replace(ON_H200, engine_version="0.5.3"))


def test_two_batches_in_turn_hide_part_of_the_exchange():
    wide = replace(ON_H200, tp=1, dp=16, ep=16, nodes=2, internode_bytes_per_s=50e9, concurrency=1024)
    shown = [predict_speed(replace(wide, two_batch_overlap=on)).terms["expert exchange"] for on in (False, True)]
    assert shown[1].seconds < shown[0].seconds


def test_without_cuda_graphs_one_user_is_slower():
    assert expected(replace(ON_H200, cuda_graphs=False)) < expected(ON_H200) / 2


def test_llama_cpp_reads_only_the_chosen_experts_from_host_memory():
    speed = predict_speed(ON_HOST)
    assert 3 < speed.decode_tokens_per_s_per_user.expected < 12
    assert speed.bound == "memory"
    assert speed.ttft_s is None and speed.output_tokens_per_s_total is None
    assert predict_speed(replace(ON_HOST, host_flops_per_s=2e12)).ttft_s is not None


def test_llama_cpp_speeds_up_with_what_lies_on_the_device():
    device = replace(ON_HOST, accelerator=find_accelerator("RTX 4090"), host_experts_first=True)
    assert expected(ON_HOST) < expected(device) < expected(replace(device, host_share=0.5))


def test_batches_beyond_the_captured_graphs_wait_for_launches():
    """Users per step of one replica: 512 are captured, 576 are not; eight replicas of 72 are again."""
    captured, beyond = replace(ON_H200, concurrency=512), replace(ON_H200, concurrency=576)
    launches = [
        predict_speed(one).terms["kernel launches"].seconds for one in (captured, beyond, replace(beyond, tp=1, dp=8))
    ]
    assert launches[1] > 1.5 * launches[0] == 1.5 * launches[2]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"tp": 0}, InvalidRequest),
        ({"concurrency": -1}, InvalidRequest),
        ({"mtp_acceptance": 1.5}, InvalidRequest),
        ({"host_share": 2.0}, InvalidRequest),
        ({"host_share": 0.5}, SpeedUnknown),
        ({"accelerator": None}, InvalidRequest),
        ({"nodes": 2, "tp": 16}, SpeedUnknown),
        ({"accelerator": replace(find_accelerator("H200"), memory_bytes_per_s=None)}, SpeedUnknown),
        ({"accelerator": replace(find_accelerator("H200"), dense_tflops={})}, SpeedUnknown),
        (
            {"accelerator": replace(find_accelerator("H200"), link_bytes_per_s=None, pcie_bytes_per_s=None)},
            SpeedUnknown,
        ),
    ],
)
def test_what_cannot_be_predicted_is_refused_by_name(change, error):
    with pytest.raises(error) as raised:
        predict_speed(replace(ON_H200, **change))
    for language in ("en", "zh"):
        assert raised.value.message.render(language) and raised.value.hint.render(language)


def test_plain_bf16_runs_on_a_chip_without_bf16():
    on_volta = replace(ON_H200, architecture=DISTILL, weights=WeightFormats(BF16, BF16, BF16), tp=4)
    assert expected(replace(on_volta, accelerator=find_accelerator("V100"))) > 0
