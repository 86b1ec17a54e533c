"""llama.cpp's placement, cache and buffers, against what builds of it logged and what its source fixes."""

from dataclasses import replace

import pytest

from dsdeploy.core import catalogue
from dsdeploy.core.architecture import from_config
from dsdeploy.core.sizing.gguf import gguf_parts
from dsdeploy.core.sizing.llamacpp import cache_cell_bytes, fit_offload, host_share
from dsdeploy.core.sizing.memory import estimate_memory
from dsdeploy.core.sizing.values import MemoryRequest

GIB, MIB = 1 << 30, 1 << 20
VERSION = (11434,)
R1 = catalogue.architecture("deepseek-r1")
MAY_2025 = "b5300"
# Qwen3-235B-A22B: a mixture of experts with grouped attention, of which mainline builds were logged in May 2025.
QWEN = from_config(
    {
        "architectures": ["Qwen3MoeForCausalLM"], "vocab_size": 151936, "hidden_size": 4096, "num_hidden_layers": 94,
        "num_attention_heads": 64, "num_key_value_heads": 4, "head_dim": 128, "intermediate_size": 12288,
        "moe_intermediate_size": 1536, "num_experts": 128, "num_experts_per_tok": 8, "max_position_embeddings": 40960,
    }
)  # fmt: skip
Q6_K_BYTES = 6.5625 / 8


def request(a=R1, **changes):
    given = {"format": "gguf-q4_k_m", "device_bytes": 23.64 * GIB, "published_bytes": 404.8e9, "max_model_len": 8192}
    return MemoryRequest(architecture=a, engine="llama.cpp", **{**given, **changes})


def test_a_copy_of_one_expert_tensor_is_the_compute_buffer():
    """ik_llama.cpp discussion 357, mainline on an RTX 3090, 16,384 cells: 774.00 MiB, of which one Q6_K tensor of all
    experts is 630."""
    published = sum(part.elements for part in _parts(QWEN)) * Q6_K_BYTES
    found = estimate_memory(
        request(QWEN, format="gguf-q6_k", published_bytes=published, max_model_len=16384, expert_layers_in_host=90,
                engine_version=MAY_2025)
    )  # fmt: skip
    compute = next(term.size_bytes for term in found.terms if term.name == "compute")
    assert compute / MIB == pytest.approx(774.0, rel=0.01)


def _parts(a):
    from dsdeploy.core.sizing.parameters import count_parameters

    return count_parameters(a).all(with_draft=False)


def test_a_device_that_only_attends_needs_what_mla_holds():
    """ik_llama.cpp pull request 394, mainline, DeepSeek-V3-0324 with 16,384 cells: 788.00 MiB on cards whose experts
    are all theirs."""
    found = estimate_memory(request(device_bytes=80 * GIB, count=8, max_model_len=16384, engine_version=MAY_2025))
    compute = next(term.size_bytes for term in found.terms if term.name == "compute")
    assert compute / MIB == pytest.approx(788.0, rel=0.02)


@pytest.mark.parametrize(
    ("version", "mib"),
    [((5000,), 61 * 8192 * 128 * 320 * 2 / MIB), ((5300,), 2074.0 / 2), ((11434,), 549.0)],
)
def test_the_cache_of_r1_by_build(version, mib):
    """8,192 cells: heads in full; latent and values (2,074 MiB were logged for 16,384); the latent alone."""
    assert sum(cache_cell_bytes(R1, "f16", layer, version) * 8192 for layer in range(61)) / MIB == pytest.approx(mib)


def test_the_parts_make_up_the_file():
    parts = gguf_parts(R1, "gguf-q4_k_m", 404.8e9)
    assert parts.whole == pytest.approx(404.8e9)
    assert parts.experts[:3] == (0, 0, 0) and min(parts.experts[3:]) > 6e9


def test_what_stays_on_the_card_when_all_experts_are_in_host_memory():
    """ik_llama.cpp discussion 258: 9,996.68 MiB for a Q4_K file of V3-0324 that keeps one projection twice."""
    found = estimate_memory(request(expert_layers_in_host=61))
    assert found.weights_bytes_per_device / MIB == pytest.approx(9996.68, rel=0.1)


def test_the_least_offload_that_fits_is_found():
    asked = request()
    layers = fit_offload(asked, VERSION).expert_layers_in_host
    assert estimate_memory(replace(asked, expert_layers_in_host=layers)).fits
    assert not estimate_memory(replace(asked, expert_layers_in_host=layers - 1)).fits
    assert fit_offload(asked, VERSION, host_bytes=256e9) is None


def test_r1_dynamic_fits_one_4090_with_256_gb_and_two_h100():
    small = request(format="gguf-ud-iq1_s", published_bytes=140.2e9)
    placed = fit_offload(small, VERSION, host_bytes=256e9)
    assert placed.expert_layers_in_host and 0.5 < host_share(placed)[0] < 1
    assert fit_offload(replace(small, device_bytes=79.2 * GIB, count=2), VERSION).expert_layers_in_host == 0


def test_the_fullest_device_decides():
    """The first layers' experts stay in host memory, so the last device of two is the fuller."""
    found = estimate_memory(request(device_bytes=79 * GIB, count=2, expert_layers_in_host=40))
    assert found.weights_bytes_per_device == max(found.stage_weights_bytes) == found.stage_weights_bytes[1]


def test_the_output_counts_as_a_layer():
    whole, but_one = (estimate_memory(request(device_bytes=500 * GIB, gpu_layers=count)) for count in (62, 61))
    assert whole.host_bytes < but_one.host_bytes


def test_every_slot_has_its_own_context():
    one, four = (estimate_memory(request(device_bytes=500 * GIB, max_num_seqs=slots)) for slots in (1, 4))
    assert four.kv_cache_bytes_per_device == 4 * one.kv_cache_bytes_per_device
    assert (one.max_concurrency, four.max_concurrency) == (1, 4)


def test_a_balanced_split_leaves_fewer_experts_in_host_memory():
    asked = request(device_bytes=79.2 * GIB, count=2)
    placed = fit_offload(asked, VERSION)
    assert not estimate_memory(replace(placed, tensor_split=())).fits and sum(placed.tensor_split) == 62
    held = estimate_memory(placed).stage_weights_bytes
    assert min(held) > 0.85 * max(held)
