"""V4's pool of blocks against what vLLM itself said it needs."""

import pytest

from dsdeploy.core import catalogue
from dsdeploy.core.sizing.hybrid_cache import hybrid_cache
from dsdeploy.core.sizing.kv_cache import layer_token_bytes, sglang_token_bytes

GIB = 1 << 30


def pool(version):
    a = catalogue.architecture("deepseek-v4-flash")
    ratios = a.compress_ratios[: a.num_hidden_layers]
    return hybrid_cache(ratios, a.sliding_window, a.head_dim, a.index_head_dim, version)


@pytest.mark.parametrize(("tokens", "needed_gib"), [(30_000, 6.66), (13_528, 5.44)])
def test_what_vllm_022_asked_for(tokens, needed_gib):
    """vllm-project/vllm issue 44376: 30,000 tokens need 6.66 GiB, and 5.44 GiB are enough for 13,528; the step of an
    offline `LLM` is 16,384 tokens."""
    assert pool((0, 22)).request_bytes(tokens, 16_384) / GIB == pytest.approx(needed_gib, abs=0.005)


def test_what_vllm_026_held_a_token():
    """7,455 bytes a token of a million were logged; its pool was that of 0.22."""
    assert pool((0, 26)).request_bytes(1 << 20, 8192) / (1 << 20) == pytest.approx(7455, rel=0.01)


def test_windows_weigh_on_short_contexts_and_do_not_grow():
    found = pool((0, 32))
    once, more = found.request_bytes(65_536, 8192), found.request_bytes(131_072, 8192)
    assert more - once == found.block_bytes * 65_536 / 256
    assert once > 2 * (more - once)


def test_sglang_keeps_windows_for_a_tenth_of_the_tokens():
    """By its 0.5.23: 3,850 bytes of rows a token of V4 Flash, and 3,183 of windows and states; V4.1 has few rows."""
    flash, newest = (
        sglang_token_bytes(catalogue.architecture(f"deepseek-{name}")) for name in ("v4-flash", "v4.1-flash")
    )
    assert round(flash) == 3850 + 3183
    assert newest < flash


def test_v41_caches_at_its_source_layers_alone():
    """1,650 bytes a token were recorded for vLLM's FP8 cache."""
    a = catalogue.architecture("deepseek-v4.1-flash")
    assert a.num_hidden_layers * layer_token_bytes(a, "fp8", 1) == 1650
