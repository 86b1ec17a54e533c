"""What the memory model has reached against logged runs; the questions that every planner must answer."""

import json
from statistics import median, quantiles

import pytest

from dsdeploy.core import catalogue
from dsdeploy.core.architecture import from_config
from dsdeploy.core.errors import DsdeployError
from dsdeploy.core.sizing.formats import FORMATS, part_bytes
from dsdeploy.core.sizing.kv_cache import layer_token_bytes
from dsdeploy.core.sizing.parameters import count_parameters, countable
from dsdeploy.stages.estimate import Question, estimate
from tests.truth import memory

# A vision tower is beside the language model, whose tensors alone are counted.
VISION = {"deepseek-vl2-tiny", "deepseek-vl2-small", "deepseek-ocr", "deepseek-ocr-2"}


def published():
    for model in catalogue.models():
        size = (model.get("weights") or {}).get("tensor_bytes")
        try:
            a = catalogue.architecture(model)
        except DsdeployError:
            continue
        if size and countable(a) and model["id"] not in VISION:
            yield pytest.param(a, size, id=model["id"])


@pytest.mark.parametrize(("a", "size"), list(published()))
def test_every_tensor_is_counted(a, size):
    native = "fp4-experts+fp8" if a.expert_dtype == "fp4" else "fp8-block" if a.quantization_config else "bf16"
    format = FORMATS[native]
    counted = sum(part_bytes(part, format) for part in count_parameters(a).all(with_draft=True))
    assert abs(counted / size - 1) < 0.001


def errors(term):
    found = [one for row in memory.judged() for one in memory.compared(row) if one.term == term]
    sizes = sorted(abs(one.error) for one in found)
    return median(sizes), quantiles(sizes, n=10)[-1]


def test_weights_agree_with_what_engines_logged():
    middle, worst = errors("weights")
    assert middle <= 0.01 and worst <= 0.04


def test_cache_agrees_with_what_engines_logged():
    assert errors("bytes a token")[0] <= 0.005
    middle, worst = errors("cache tokens")
    assert middle <= 0.05 and worst <= 0.15


def test_nothing_that_ran_out_of_memory_is_said_to_fit():
    said = {
        row["id"]: memory.predicted(row).verdict
        for row in memory.judged()
        if row["observed"].get("outcome") in ("oom", "kv_too_small") and row["id"] not in memory.partly()
    }
    assert len(said) >= 7 and "fits" not in said.values(), said


def test_what_ran_is_said_to_fit():
    ran = [row for row in memory.judged() if row["observed"].get("outcome") == "fits" and row["max_model_len"]]
    ran = [row for row in ran if row["id"] not in memory.partly()]
    assert len(ran) >= 6 and all(memory.predicted(row).verdict == "fits" for row in ran)


RECORDED = json.loads((memory.HERE / "vllm_cpu.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", RECORDED["rows"], ids=lambda row: row["config"]["architectures"][0])
def test_the_real_vllm_on_a_cpu_logs_the_same_tokens(row):
    """Recorded by scripts/record_vllm_cpu.py; vLLM rounds down to whole blocks of 16 tokens, and there is one rank."""
    a = from_config(row["config"])
    bytes_a_token = a.num_hidden_layers * layer_token_bytes(a, "auto", 1)
    assert row["kv_cache_tokens"] == int(row["cache_bytes"] / bytes_a_token) // 16 * 16


QUESTIONS = json.loads((memory.HERE / "questions.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("asked", QUESTIONS, ids=lambda asked: asked["id"])
def test_the_questions_that_every_planner_must_answer(asked):
    question = Question(
        asked["model"],
        format=asked["format"],
        engine=asked["engine"],
        accelerator=asked["accelerator"],
        count=asked["accelerators_per_node"],
        nodes=asked["nodes"],
        max_model_len=asked["max_model_len"],
    )
    assert estimate(question).fits is (asked["expected"] == "fits")
