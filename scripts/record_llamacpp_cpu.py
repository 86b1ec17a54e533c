"""Records the cache and the compute buffer that the real llama.cpp allocates, on a CPU, for a tiny DeepSeek-V3.

    python scripts/record_llamacpp_cpu.py tests/truth/llamacpp_cpu.json

Needs xllamacpp and gguf. The weights are random; heads, latent and rope have their true sizes.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

SHAPE = {
    "architectures": ["DeepseekV3ForCausalLM"], "vocab_size": 256, "hidden_size": 512, "intermediate_size": 1024,
    "moe_intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 16, "n_routed_experts": 8,
    "n_shared_experts": 1, "num_experts_per_tok": 2, "first_k_dense_replace": 1, "q_lora_rank": 256,
    "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
}  # fmt: skip
ASKED = ((8192, 1, "f16"), (32768, 1, "f16"), (8192, 4, "f16"), (32768, 1, "q8_0"))
_SIZE = re.compile(r"(KV buffer|compute buffer) size = +([\d.]+) MiB")


def write(path: Path) -> None:
    import gguf
    import numpy

    h, heads, latent, rope, nope, value, queries = 512, 16, 512, 64, 128, 128, 256
    file = gguf.GGUFWriter(path, "deepseek2")
    file.add_context_length(163840)
    file.add_embedding_length(h)
    file.add_block_count(2)
    file.add_feed_forward_length(1024)
    file.add_head_count(heads)
    file.add_head_count_kv(1)
    file.add_layer_norm_rms_eps(1e-6)
    file.add_rope_freq_base(10000.0)
    file.add_rope_dimension_count(rope)
    file.add_leading_dense_block_count(1)
    file.add_vocab_size(256)
    file.add_q_lora_rank(queries)
    file.add_kv_lora_rank(latent)
    file.add_key_length(latent + rope)
    file.add_value_length(latent)
    file.add_key_length_mla(nope + rope)
    file.add_value_length_mla(value)
    file.add_expert_feed_forward_length(256)
    file.add_expert_count(8)
    file.add_expert_used_count(2)
    file.add_expert_shared_count(1)
    file.add_expert_weights_scale(1.0)
    file.add_tokenizer_model("llama")
    file.add_token_list(["<s>", "</s>", *(f"t{id}" for id in range(254))])
    file.add_token_scores([0.0] * 256)
    file.add_token_types([3, 3, *[1] * 254])
    random = numpy.random.default_rng(0)

    def tensor(name: str, *shape: int, wide: bool = False) -> None:
        values = (random.standard_normal(shape) * 0.02).astype(numpy.float32 if wide else numpy.float16)
        file.add_tensor(f"{name}.weight", values)

    tensor("token_embd", 256, h)
    tensor("output", 256, h)
    tensor("output_norm", h, wide=True)
    for layer in ("blk.0.", "blk.1."):
        for name, width in (("attn_norm", h), ("ffn_norm", h), ("attn_kv_a_norm", latent), ("attn_q_a_norm", queries)):
            tensor(layer + name, width, wide=True)
        tensor(layer + "attn_q_a", queries, h)
        tensor(layer + "attn_q_b", heads * (nope + rope), queries)
        tensor(layer + "attn_kv_a_mqa", latent + rope, h)
        tensor(layer + "attn_k_b", heads, latent, nope)
        tensor(layer + "attn_v_b", heads, value, latent)
        tensor(layer + "attn_output", h, heads * value)
    for name, shape in (("gate", (1024, h)), ("up", (1024, h)), ("down", (h, 1024))):
        tensor(f"blk.0.ffn_{name}", *shape)
    tensor("blk.1.ffn_gate_inp", 8, h, wide=True)
    for name, shape in (("gate", (256, h)), ("up", (256, h)), ("down", (h, 256))):
        tensor(f"blk.1.ffn_{name}_exps", 8, *shape)
        tensor(f"blk.1.ffn_{name}_shexp", *shape)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def serve(path: str, context: int, slots: int, cache_type: str) -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_parallel = path, context, slots
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        params.hostnames, params.port = ["127.0.0.1"], free.getsockname()[1]
    params.cache_type_k = params.cache_type_v = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{cache_type.upper()}")
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED
    params.fit_params, params.warmup, params.cache_ram_mib, params.no_extra_bufts = False, False, 0, True
    params.verbosity = 10
    xllamacpp.Server(params)
    os._exit(0)


def said(command: list[str], log: Path) -> dict[str, str]:
    """Both sizes as soon as they are logged; whatever the server does next is cut off."""
    with log.open("w") as stream:
        server = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
    sizes: dict[str, str] = {}
    until = time.monotonic() + 60
    while len(sizes) < 2 and server.poll() is None and time.monotonic() < until:
        time.sleep(0.2)
        sizes = dict(_SIZE.findall(log.read_text(errors="replace")))
    server.kill()
    server.wait()
    return dict(_SIZE.findall(log.read_text(errors="replace")))


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.gguf"
        write(path)
        for context, slots, cache_type in ASKED:
            asked = [sys.executable, __file__, "serve", str(path), str(context), str(slots), cache_type]
            sizes = said(asked, Path(folder) / "log")
            rows.append(
                {
                    "context": context, "slots": slots, "cache_type": cache_type,
                    "cache_mib": float(sizes["KV buffer"]), "compute_mib": float(sizes["compute buffer"]),
                }
            )  # fmt: skip
    content = {"engine": f"xllamacpp {version('xllamacpp')}", "config": SHAPE, "rows": rows}
    Path(sys.argv[1]).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
    else:
        main()
