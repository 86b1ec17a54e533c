import pytest

from dsdeploy.core.catalogue import find_model, models
from dsdeploy.core.errors import UnknownModel


def test_a_model_is_found_by_each_of_its_names_in_any_case():
    assert find_model("DeepSeek-AI/deepseek-r1") is find_model("deepseek-r1")


def test_an_unknown_model_offers_the_nearest():
    with pytest.raises(UnknownModel) as caught:
        find_model("deepseek-r1-distil-qwen-7b")
    assert "deepseek-r1-distill-qwen-7b" in caught.value.hint.render("zh")


def test_v3_caches_one_latent_of_576_values_per_token_and_layer():
    assert find_model("deepseek-r1")["kv_cache"]["bytes_per_token_bf16"] == 61 * 576 * 2


def test_names_are_unique_and_every_model_has_a_source():
    assert len({model["id"] for model in models()}) == len(models())
    assert [model["id"] for model in models() if not model.get("sources")] == []
