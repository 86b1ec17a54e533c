import json

import pytest

from dsdeploy.cli.views.models import model_rows, models_rows
from dsdeploy.core.errors import InvalidRequest, UnknownModel
from dsdeploy.stages.models import list_models, show_model


def test_each_filter_narrows_the_list():
    every = list_models(None, None, None)
    r1 = list_models("r1", None, None)
    assert {row["id"] for row in r1} == {"deepseek-r1", "deepseek-r1-zero", "deepseek-r1-0528"}
    assert {row["family"] for row in list_models(None, "llama-3.1", None)} == {"r1-distill"}
    awq = list_models("r1", "mit", "awq-int4")
    assert [row["id"] for row in awq] == ["deepseek-r1", "deepseek-r1-0528"]
    assert len(list_models(None, None, "gguf")) > len(list_models(None, None, "gguf-q8_0")) > 5 and len(every) > 70


@pytest.mark.parametrize(
    ("words", "known"),
    [(("r9", None, None), "r1-distill"), ((None, "gpl", None), "mit"), ((None, None, "fp9"), "fp8-block")],
)
def test_a_filter_that_nothing_has_names_what_there_is(words, known):
    with pytest.raises(InvalidRequest) as caught:
        list_models(*words)
    assert known in caught.value.hint.render("en")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_model_can_be_shown(language):
    head, rows = models_rows(list_models(None, None, None), language)
    assert all(len(row) == len(head) for row in rows)
    for name in (*(row["id"] for row in list_models(None, None, None)), "smoke"):
        head, rows = model_rows(show_model(name), language)
        assert rows and all(len(row) == 2 and all(isinstance(cell, str) for cell in row) for row in rows), name


def test_a_model_is_shown_with_formats_losses_and_duties():
    words = "\n".join(" ".join(row) for row in model_rows(show_model("deepseek-ai/DeepSeek-R1"), "en")[1])
    for said in (
        "fp8-block",
        "641.3 GiB",
        "94.29 %",
        "0.68 %",
        "AIME 2024 79.8",
        "Keep the copyright notice",
        "awq-int4",
    ):
        assert said in words, said


def test_a_configuration_is_shown_by_its_path(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps(
            {"architectures": ["LlamaForCausalLM"], "vocab_size": 128256, "hidden_size": 4096, "num_hidden_layers": 32}
            | {"num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 8192}
        )
    )
    shown = show_model(str(path))
    assert shown["architecture"].num_key_value_heads == 8
    assert any("32 (8)" in row[1] for row in model_rows(shown, "zh")[1])
    with pytest.raises(UnknownModel):
        show_model("no-such-model-anywhere")
