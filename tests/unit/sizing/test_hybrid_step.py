"""What one step of V4 holds in vLLM, against a log of vLLM itself."""

from dsdeploy.core import catalogue
from dsdeploy.core.sizing.hybrid_step import attention_bytes, resident_bytes, workspace_bytes

GIB = 1 << 30
FLASH = catalogue.architecture("deepseek-v4-flash")


def test_the_peak_that_vllm_logged():
    """vllm-project/vllm issue 50576: 3.12 GiB of activations on four cards, 8,192 tokens a step; its build is patched
    for that chip, so it judges no sum."""
    step = attention_bytes(FLASH, 4, 8192) + workspace_bytes(FLASH, 4, 8192, 65_536)
    assert abs(step / GIB / 3.12 - 1) < 0.08


def test_heads_are_padded_however_few_a_rank_has():
    assert attention_bytes(FLASH, 4, 8192) == attention_bytes(FLASH, 8, 8192)


def test_the_rotary_tables_are_as_long_as_the_model_reads_whatever_is_asked():
    assert resident_bytes(FLASH, 0) == 2 * 1_048_576 * 64 * 4
