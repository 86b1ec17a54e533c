import json

import pytest

from dsdeploy.adapters.model_config import load_config
from dsdeploy.core.catalogue import architecture, find_model
from dsdeploy.core.errors import ConfigMalformed, ConfigUnreadable

QWEN2 = {
    "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 5120, "intermediate_size": 27648,
    "num_hidden_layers": 64, "num_attention_heads": 40, "num_key_value_heads": 8, "vocab_size": 152064,
    "max_position_embeddings": 131072, "sliding_window": 131072, "tie_word_embeddings": False, "dtype": "bfloat16",
}  # fmt: skip


def write(tmp_path, content) -> object:
    path = tmp_path / "config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_published_v3_config_is_the_catalogue_shape(tmp_path):
    shape = {key: value for key, value in find_model("deepseek-v3")["architecture"].items() if value is not None}
    more = {"model_type": "deepseek_v3", "rope_scaling": {"type": "yarn"}, "moe_layer_freq": 1, "n_shared_experts": 1}
    assert load_config(write(tmp_path, shape | more)) == architecture("deepseek-v3")


def test_what_a_class_fixes_is_filled_in(tmp_path):
    qwen2 = load_config(write(tmp_path, QWEN2))
    assert qwen2.qkv_bias and not qwen2.qk_norm and (qwen2.head_dim, qwen2.torch_dtype) == (128, "bfloat16")
    moe = {"architectures": ["Qwen3MoeForCausalLM"], "num_experts": 128, "num_experts_per_tok": 8, "head_dim": 64}
    qwen3 = load_config(write(tmp_path, QWEN2 | moe))
    assert qwen3.qk_norm and not qwen3.qkv_bias and (qwen3.n_routed_experts, qwen3.head_dim) == (128, 64)
    llama = load_config(write(tmp_path, QWEN2 | {"architectures": ["LlamaForCausalLM"], "num_key_value_heads": None}))
    assert not llama.qkv_bias and llama.num_key_value_heads == 40


@pytest.mark.parametrize("part", ["text_config", "language_config"])
def test_the_language_part_of_a_model_with_several_is_read(tmp_path, part):
    nested = {key: value for key, value in QWEN2.items() if key != "architectures"}
    config = {"architectures": ["SomeVisionModel"], part: nested, "vision_config": {"hidden_size": 1024}}
    shape = load_config(write(tmp_path, config))
    assert (shape.name, shape.hidden_size) == ("SomeVisionModel", 5120)


def test_a_folder_stands_for_the_config_in_it(tmp_path):
    assert load_config(write(tmp_path, QWEN2).parent) == load_config(write(tmp_path, QWEN2))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("num_hidden_layers", "64", "'64'"),
        ("num_hidden_layers", 0, "0"),
        ("hidden_size", -5120, "-5120"),
        ("hidden_size", True, "True"),
        ("vocab_size", None, "nothing"),
        ("architectures", [], "[]"),
        ("architectures", "Qwen2ForCausalLM", "Qwen2"),
        ("quantization_config", "fp8", "'fp8'"),
        ("text_config", [1], "[1]"),
    ],
)
def test_a_malformed_value_is_named_with_file_and_key(tmp_path, key, value, said):
    path = write(tmp_path, QWEN2 | {key: value})
    with pytest.raises(ConfigMalformed) as caught:
        load_config(path)
    message = caught.value.message.render("en")
    assert str(path) in message and key in message and said in message


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"a":' * 100_000])
def test_a_file_that_is_no_configuration_is_refused(tmp_path, content):
    with pytest.raises(ConfigUnreadable) as caught:
        load_config(write(tmp_path, content))
    assert "config.json" in caught.value.message.render("zh")


def test_a_missing_or_binary_file_is_refused(tmp_path):
    (tmp_path / "model.json").write_bytes(b"\xff\xfe\x00")
    for name in ("model.json", "absent.json"):
        with pytest.raises(ConfigUnreadable):
            load_config(tmp_path / name)
