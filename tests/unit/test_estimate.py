"""`dsdeploy estimate`: its fields, its refusals by name, and truths that no formula may lose."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsdeploy.core import catalogue
from dsdeploy.core.errors import (
    ConfigMalformed,
    ConfigUnreadable,
    InvalidRequest,
    UnknownAccelerator,
    UnknownEngine,
    UnknownModel,
)
from dsdeploy.core.sizing.kv_cache import layer_token_bytes
from dsdeploy.stages.estimate import Question, estimate
from tests.program import run_json

R1 = {"model": "deepseek-ai/DeepSeek-R1", "accelerator": "NVIDIA H200", "count": 8, "max_model_len": 32768}


def test_the_document_has_every_promised_field():
    words = ["estimate", R1["model"], "--accelerator", "H200", "--count", "8", "--max-model-len", "32768"]
    document = run_json(*words, "--users", "8")
    data = document["data"]
    promised = {
        "fits", "verdict", "weights_bytes_per_device", "runtime_bytes_per_device", "kv_cache_bytes_per_device",
        "kv_cache_tokens", "max_concurrency", "decode_tokens_per_s_per_user", "decode_tokens_per_s_total", "ttft_s",
        "terms", "warnings",
    }  # fmt: skip
    assert promised <= set(data) and data["fits"] is True and document["exit_code"] == 0
    assert all(term["source"] and term["bytes"] >= 0 for term in data["terms"].values())
    assert data["ttft_s"]["low"] and data["decode_tokens_per_s_total"]["high"]


def test_what_does_not_fit_ends_with_11_and_says_why():
    words = ["estimate", "deepseek-r1", "--accelerator", "NVIDIA H100 80GB HBM3", "--count", "8"]
    document = run_json(*words)
    assert document["exit_code"] == 11 and document["data"]["verdict"] == "weights_too_large"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"model": "deepsek-r1"}, UnknownModel),
        ({"accelerator": "H2000"}, UnknownAccelerator),
        ({"engine": "vlm"}, UnknownEngine),
        ({"format": "fp7"}, InvalidRequest),
        ({"format": "gguf-q9"}, InvalidRequest),
        ({"count": 0}, InvalidRequest),
        ({"users": -1}, InvalidRequest),
        ({"max_model_len": 10**9}, InvalidRequest),
        ({"memory_utilization": 1.5}, InvalidRequest),
        ({"kv_cache_dtype": "fp3"}, InvalidRequest),
        ({"accelerator": None}, InvalidRequest),
    ],
)
def test_a_wrong_question_has_a_named_error_with_a_way_on(change, error):
    with pytest.raises(error) as caught:
        estimate(Question(**{**R1, **change}))
    assert caught.value.hint.render("en") and caught.value.message.render("zh")


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"tensor_parallel": 16}, "parallelism_invalid"),
        ({"tensor_parallel": 7}, "parallelism_invalid"),
        ({"accelerator": "Ascend 910B3", "engine": "vllm-ascend"}, "format_unsupported"),
    ],
)
def test_what_cannot_run_says_what_would(change, verdict):
    found = estimate(Question(**{**R1, **change}))
    assert found.verdict == verdict and not found.fits and found.warnings[0].render("en")


def test_a_model_outside_the_catalogue_is_read_from_its_config(tmp_path):
    config = tmp_path / "config.json"
    shape = {
        "architectures": ["LlamaForCausalLM"], "vocab_size": 32000, "hidden_size": 4096, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 11008,
        "max_position_embeddings": 8192, "torch_dtype": "bfloat16",
    }  # fmt: skip
    config.write_text(json.dumps(shape))
    assert estimate(Question(None, config=config, accelerator="RTX 4090")).fits
    for broken in ("{", "[]", json.dumps({**shape, "hidden_size": "wide"})):
        config.write_text(broken)
        with pytest.raises((ConfigMalformed, ConfigUnreadable)):
            estimate(Question(None, config=config, accelerator="RTX 4090"))


def test_latent_cache_is_whole_on_every_rank_and_grouped_heads_are_shared_out():
    r1, qwen = catalogue.architecture("deepseek-r1"), catalogue.architecture("deepseek-r1-distill-qwen-32b")
    assert {layer_token_bytes(r1, "auto", tp) for tp in (1, 8, 16)} == {1152}
    assert layer_token_bytes(qwen, "auto", 1) == 4096 == 8 * layer_token_bytes(qwen, "auto", 16)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([1, 2, 4, 8]), st.sampled_from(["H100", "H200", "A100-SXM4-80GB", "L40S"]),
    st.integers(1024, 32768), st.integers(1, 64),
)  # fmt: skip
def test_more_context_or_smaller_memory_never_makes_it_fit(count, accelerator, context, users):
    base = Question("deepseek-r1-distill-llama-70b", accelerator=accelerator, count=count, users=users)
    short = estimate(replace(base, max_model_len=context))
    long = estimate(replace(base, max_model_len=context + 4096))
    assert short.fits or not long.fits
    tight = estimate(replace(base, max_model_len=context, device_memory_bytes=short.device_memory_bytes // 2))
    assert short.fits or not tight.fits


def test_host_memory_takes_what_the_cards_cannot_hold():
    asked = Question(
        "deepseek-r1", format="gguf-q4_k_m", engine="llama.cpp", accelerator="RTX 4090", max_model_len=8192,
        host_memory_bytes=512 * 10**9,
    )  # fmt: skip
    found = estimate(asked)
    assert found.fits and 300e9 < found.host_memory_bytes < 512e9
    assert "--n-cpu-moe 60" in " ".join(one.render("en") for one in found.warnings)
    assert not estimate(replace(asked, host_memory_bytes=256 * 10**9)).fits
    assert not estimate(replace(asked, host_memory_bytes=None)).fits
