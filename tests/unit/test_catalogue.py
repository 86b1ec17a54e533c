import json
from collections import Counter
from importlib.resources import files

import pytest

from dsdeploy.core.catalogue import architecture, find_model, gguf_variants, losses, models, variants
from dsdeploy.core.errors import ArchitectureUnknown, UnknownModel
from dsdeploy.core.licences import LICENCES, bindings

DEPLOYABLE = [model for model in models() if model["deployable"]]
SHAPED = [model for model in models() if model["architecture"]]


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("DeepSeek-AI/deepseek-r1", "deepseek-r1"),
        ("deepseek-ai/DeepSeek-V3.1", "deepseek-v3.1"),
        ("unsloth/DeepSeek-R1-GGUF", "deepseek-r1"),
        ("nvidia/DeepSeek-R1-FP4", "deepseek-r1"),
        ("nvidia/DeepSeek-R1-0528-NVFP4-v2", "deepseek-r1-0528"),
        ("DeepSeek-R1-0528-AWQ", "deepseek-r1-0528"),
        ("cognitivecomputations/DeepSeek-V3-AWQ", "deepseek-v3"),
        ("vllm-ascend/DeepSeek-R1-W8A8", "deepseek-r1"),
        ("nvidia/DeepSeek-V4-Flash-0731-NVFP4", "deepseek-v4-flash-0731"),
        ("RedHatAI/DeepSeek-R1-Distill-Qwen-32B-quantized.w4a16", "deepseek-r1-distill-qwen-32b"),
    ],
)
def test_a_model_is_found_by_each_of_its_names_in_any_case(name, id):
    assert find_model(name)["id"] == find_model(name.upper())["id"] == id


def test_an_unknown_model_offers_the_nearest():
    with pytest.raises(UnknownModel) as caught:
        find_model("deepseek-r1-distil-qwen-7b")
    assert "deepseek-r1-distill-qwen-7b" in caught.value.hint.render("zh")


def test_names_are_unique_and_every_model_has_a_source():
    names = Counter(name.lower() for model in models() for name in {model["id"], model["hf_repo"]} if name)
    assert [name for name, count in names.items() if count > 1] == []
    assert [model["id"] for model in models() if not model["sources"]] == []


def test_every_model_has_the_same_fields():
    assert len({tuple(model) for model in models()}) == 1


def test_hosted_services_are_listed_as_not_deployable():
    hosted = [model["id"] for model in models() if not model["deployable"]]
    assert "deepseek-r1-lite-preview" in hosted and "deepseek-chat" in hosted
    assert all(variants(id) == () for id in hosted)


def test_each_family_of_the_project_is_there():
    assert {model["family"] for model in models()} >= {
        "llm", "coder", "math", "vl", "vl2", "moe", "v2", "coder-v2", "v3", "v3.2", "v4", "v4.1", "r1", "r1-distill",
        "prover", "ocr", "api",
    }  # fmt: skip


def test_v3_caches_one_latent_of_576_values_per_token_and_layer():
    assert find_model("deepseek-r1")["kv_cache"]["bytes_per_token_bf16"] == 61 * 576 * 2


@pytest.mark.parametrize("model", SHAPED, ids=lambda model: model["id"])
def test_a_shape_reads_as_an_architecture_and_its_cache_follows(model):
    shape = architecture(model)
    assert (
        shape is architecture(model["hf_repo"])
        and shape.num_hidden_layers == model["architecture"]["num_hidden_layers"]
    )
    cached = (model["kv_cache"] or {}).get("bytes_per_token_bf16")
    if cached and shape.kv_lora_rank:
        assert cached == shape.num_hidden_layers * (shape.kv_lora_rank + shape.qk_rope_head_dim) * 2
    elif cached:
        assert cached == shape.num_hidden_layers * shape.num_key_value_heads * shape.head_dim * 2 * 2


def test_weights_are_no_smaller_than_four_bits_and_no_larger_than_sixteen():
    for model in DEPLOYABLE:
        size, count = (model["weights"] or {}).get("tensor_bytes"), model["hf_param_count"]
        if size and count:
            assert 0.45 < size / count <= 2.001, model["id"]


def test_a_model_without_a_known_shape_asks_for_its_config():
    with pytest.raises(ArchitectureUnknown) as caught:
        architecture("deepseek-prover-v2-7b")
    assert "config.json" in caught.value.hint.render("en")


def test_every_deployable_model_has_its_native_weights_first():
    for model in DEPLOYABLE:
        first, *others = variants(model["id"])
        assert first.native and first.repository == model["hf_repo"] and not any(one.native for one in others)
    assert variants("deepseek-r1")[0].format == "fp8-block"
    assert variants("deepseek-v4-pro")[0].format == "fp4-experts+fp8"
    assert variants("deepseek-v2-lite-chat")[0].format == "bf16"


def test_every_variant_belongs_to_a_model_and_says_how_it_knows_its_size():
    ids, seen = {model["id"] for model in DEPLOYABLE}, Counter()
    content = json.loads(files("dsdeploy.core.data").joinpath("variants.json").read_text(encoding="utf-8"))
    formats = json.loads(files("dsdeploy.core.data").joinpath("engines.json").read_text(encoding="utf-8"))["formats"]
    for row in content["variants"]:
        assert row["model_id"] in ids and row["source"] and "/" in row["repository"]
        assert bool(row.get("bytes") or row.get("tensor_bytes")) == bool(row.get("basis")), row
        assert row["format"] in formats or row["format"].startswith("gguf-"), row
        seen[row["repository"], row["format"], row.get("label")] += 1
    assert [key for key, count in seen.items() if count > 1] == []
    assert all(loss["model_id"] in ids and loss["source"] for loss in losses())


def test_a_quantisation_is_smaller_than_sixteen_bits_and_more_bits_are_larger():
    for model in DEPLOYABLE:
        rows = {one.format: one.size_bytes for one in variants(model["id"]) if one.size_bytes}
        ladder = [rows[name] for name in ("gguf-q4_k_m", "gguf-q5_k_m", "gguf-q6_k", "gguf-q8_0") if name in rows]
        assert ladder == sorted(ladder)
        if model["hf_param_count"]:
            assert all(size < 2.05 * model["hf_param_count"] for size in rows.values()), model["id"]


def test_published_losses_reach_their_variant():
    awq = next(one for one in variants("deepseek-r1") if one.format == "awq-int4")
    assert awq.quality[0]["recovery_percent"] == 94.29 and awq.size_bytes == 340_000_000_000
    assert any(loss["drop_percent"] == 14.66 for loss in losses())


def test_the_plan_prefers_quality_then_bits():
    order = [(one["model_id"], one["format"]) for one in gguf_variants()]
    assert order[0] == ("deepseek-r1-0528-qwen3-8b", "gguf-q8_0")
    assert order[-1] == ("deepseek-r1-distill-qwen-1.5b", "gguf-q4_k_m") and len(order) == 12


def test_licences_bring_their_duties():
    for model in DEPLOYABLE:
        assert {id for id in (model["licence"] or {}).values() if id} <= LICENCES.keys(), model["id"]
    v3 = {one.covers: one.licence_id for one in bindings(find_model("deepseek-v3"))}
    assert v3 == {"code": "mit", "weights": "deepseek-model-1.0"}
    llama = bindings(find_model("deepseek-r1-distill-llama-70b"))[-1]
    assert (llama.covers, llama.licence_id) == ("base_model", "llama-3.3")
    assert "Built with Llama" in " ".join(duty.render("zh") for duty in llama.licence.duties)
