"""Records what the real vLLM logs of its memory on this machine's accelerator, and how fast it answers, for catalogue
models of full width with random weights, each started with the words that a plan renders.

    python -m scripts.record_vllm_gpu OUT.json LOGS [--only ID ...] [--seconds 1800]

Needs an accelerator of the catalogue, and vLLM as `vllm` on the PATH. Of a model that is too large only the first
layers are made. The file is written anew after each run; what a run's engine said lies in LOGS/ID.log.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dsdeploy.adapters.chat import Chat, Question
from dsdeploy.adapters.endpoint import Endpoint
from dsdeploy.adapters.engines import find_engine_adapter
from dsdeploy.adapters.load import Shape, run_load
from dsdeploy.core.catalogue import find_model
from dsdeploy.core.deployment import Deployment, Launch, Place
from dsdeploy.core.errors import DsdeployError

START_S, PROMPT_TOKENS, OUTPUT_TOKENS = 300, 1024, 128
MARKS = ("<think>", "</think>", "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>",
         "<｜tool▁call▁end｜>", "<｜tool▁sep｜>")  # fmt: skip
# The load's own words; "T" and "s" stand for these in a class that knows letters alone (Qwen2's), seven a sentence too.
FILLER = ("Tell", "a", "story", "about", "the", "sea", ".", "T", "s", *(str(digit) for digit in range(10)))
# What a class fixes and a catalogue entry so leaves out.
MORE = {
    "Qwen2ForCausalLM": {"model_type": "qwen2", "rope_theta": 1000000.0},
    "Qwen3ForCausalLM": {"model_type": "qwen3", "rope_theta": 1000000.0},
    "DeepseekV2ForCausalLM": {
        "model_type": "deepseek_v2", "topk_method": "greedy", "scoring_func": "softmax", "n_group": 1, "topk_group": 1,
        "norm_topk_prob": False, "routed_scaling_factor": 1.0,
    },
    "DeepseekV3ForCausalLM": {
        "model_type": "deepseek_v3", "topk_method": "noaux_tc", "scoring_func": "sigmoid", "norm_topk_prob": True,
        "routed_scaling_factor": 2.5,
    },
}  # fmt: skip
LOGGED = {
    "weights_gib": r"Model loading took ([\d.]+) GiB",
    "kv_cache_gib": r"Available KV cache memory: (-?[\d.]+) GiB",
    "kv_cache_tokens": r"GPU KV cache size: ([\d,]+) tokens",
    "concurrency": r"Maximum concurrency for [\d,]+ tokens per request: ([\d.]+)x",
    "total_gib": r"Free memory on device \([\d.]+/([\d.]+) GiB\)",
    "free_at_start_gib": r"Free memory on device \(([\d.]+)/",
    "requested_gib": r"Desired GPU memory utilization is \([\d.]+, ([\d.]+) GiB\)",
    "peak_activation_gib": r"GiB for weight, (-?[\d.]+) GiB for peak activation",
    "non_torch_gib": r"for peak activation, (-?[\d.]+) GiB for non-torch",
    "graphs_gib": r"non-torch memory, and (-?[\d.]+) GiB for CUDAGraph",
    "graphs_estimated_gib": r"CUDA graph pool memory: [\d.]+ GiB \(actual\), ([\d.]+) GiB",
}


@dataclass(frozen=True, slots=True)
class Run:
    """`layers` of the model, all where None. `at_once` are the numbers of users that are measured, the last as planned;
    `step` is vLLM's --max-num-batched-tokens."""

    id: str
    model_id: str
    format: str
    context: int = 8192
    at_once: tuple[int, ...] = (1, 8, 32)
    layers: int | None = None
    step: int = 8192


RUNS = (
    Run("v2-lite", "deepseek-v2-lite-chat", "bf16"),
    Run("r1-8-layers", "deepseek-r1", "fp8", layers=8),
    Run("qwen-32b", "deepseek-r1-distill-qwen-32b", "bf16"),
    Run("qwen-7b", "deepseek-r1-distill-qwen-7b", "bf16", at_once=(1, 32, 128)),
)


def make(run: Run, folder: Path) -> dict[str, Any]:
    """The model's configuration and a tokenizer of its vocabulary, whose words stand for one token each."""
    shape = dict(find_model(run.model_id)["architecture"])
    shape = {key: value for key, value in shape.items() if value is not None}
    if run.layers:
        shape["num_hidden_layers"] = run.layers
    shape["num_nextn_predict_layers"] = 0
    config = {
        "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "attention_bias": False,
        "bos_token_id": 0, "eos_token_id": 1, "moe_layer_freq": 1,
        **MORE[shape["architectures"][0]], **shape,
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    first = ["<|begin|>", "<|end|>", "<|unknown|>", *MARKS, *FILLER]
    words = first + [f"w{number}" for number in range(shape["vocab_size"] - len(first))]
    tokens = {
        "version": "1.0", "truncation": None, "padding": None, "normalizer": None, "post_processor": None,
        "added_tokens": [
            {"id": id, "content": word, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
             "special": id < 3}
            for id, word in enumerate(first[: 3 + len(MARKS)])
        ],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Whitespace"}, {"type": "Digits", "individual_digits": True}]},
        "decoder": {"type": "Metaspace", "replacement": "w", "prepend_scheme": "never", "split": False},
        "model": {
            "type": "WordLevel", "unk_token": "<|unknown|>", "vocab": {word: id for id, word in enumerate(words)}
        },
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(tokens))
    told = {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin|>", "eos_token": "<|end|>",
        "unk_token": "<|unknown|>", "model_max_length": 1 << 20,
        "chat_template": "{% for one in messages %}{{ one['content'] }} {% endfor %}",
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    return config


def launch_of(run: Run, accelerator: str, place: Path) -> Launch:
    keys = place / "keys"
    keys.write_text("a-key-of-the-recording\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    deployment = Deployment(
        run.model_id, run.format, "vllm", "0.32.0", accelerator, 1, 1, 1, 1, 1, 1, False, run.context,
        max(run.at_once), max_num_batched_tokens=run.step,
    )  # fmt: skip
    where = Place(str(place / "model"), run.model_id, str(keys), "127.0.0.1", port, str(place / "cache"))
    return find_engine_adapter("vllm").launch(deployment, where)


def words_of(launch: Launch) -> tuple[str, ...]:
    """The launch's own words, but that weights are made up."""
    words = list(launch.argv)
    words[words.index("--load-format") + 1] = "dummy"
    return tuple(words)


def logged(text: str) -> dict[str, float]:
    found = {name: re.search(pattern, text) for name, pattern in LOGGED.items()}
    return {name: float(one[1].replace(",", "")) for name, one in found.items() if one}


def measure(chat: Chat, at_once: int) -> dict[str, float]:
    """After one warm-up of so many users; medians over all their answers."""
    shape = Shape(PROMPT_TOKENS, OUTPUT_TOKENS)
    run_load(chat, at_once, 1, shape)
    load = run_load(chat, at_once, 3 if at_once == 1 else 2, shape)
    rates = [one.tokens_per_s for one in load.samples if one.tokens_per_s is not None]
    return {
        "at_once": at_once,
        "first_token_ms": round(statistics.median(one.first_s for one in load.samples) * 1000, 1),
        "tokens_per_s_per_user": round(statistics.median(rates), 2),
        "output_tokens_per_s": round(load.tokens_per_s, 1),
    }


def record(run: Run, accelerator: str, logs: Path, end: float) -> dict[str, Any]:
    place = Path(tempfile.mkdtemp(prefix="record-"))
    row: dict[str, Any] = asdict(run)
    try:
        row["config"] = make(run, place / "model")
        launch = launch_of(run, accelerator, place)
        (place / "cache").mkdir()
        row["words"] = words_of(launch)[words_of(launch).index("serve") + 2 :]
        log, began = logs / f"{run.id}.log", time.monotonic()
        with log.open("w") as sink:
            server = subprocess.Popen(
                words_of(launch), stdout=sink, stderr=sink, env=os.environ | launch.environment, cwd="/",
                start_new_session=True,
            )  # fmt: skip
        try:
            limit = min(end, began + START_S)
            while "Application startup complete" not in log.read_text() and server.poll() is None:
                if time.monotonic() > limit:
                    row["fault"] = "not ready in time"
                    break
                time.sleep(0.5)
            row["ready_s"] = round(time.monotonic() - began, 1)
            row["logged"] = logged(log.read_text())
            if server.poll() is not None:
                row["fault"] = f"ended with {server.poll()}"
            if "fault" not in row:
                chat = Chat(Endpoint("127.0.0.1", launch.port), run.model_id, "a-key-of-the-recording")
                question = Question("1234567. " + "Tell a story about the sea. " * (PROMPT_TOKENS // 7), 1)
                row["prompt_tokens"] = chat.reply(question).prompt_tokens
                row["speeds"] = []
                for at_once in run.at_once:
                    row["speeds"].append(measure(chat, at_once))
                    if time.monotonic() > end:
                        break
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()
    except (DsdeployError, OSError) as error:
        row["fault"] = f"{type(error).__name__}: {error}"[:500]
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return row


def this_accelerator() -> tuple[str, str]:
    """Its catalogue id, and what the driver calls it."""
    from dsdeploy.core.accelerators import find_accelerator

    said = subprocess.run(
        ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    found = find_accelerator(said.split(",")[0])
    assert found is not None, said
    return found.id, said


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("out", type=Path)
    asked.add_argument("logs", type=Path)
    asked.add_argument("--only", nargs="*")
    asked.add_argument("--seconds", type=float, default=1800)
    given = asked.parse_args()
    end = time.monotonic() + given.seconds
    accelerator, said = this_accelerator()
    given.logs.mkdir(parents=True, exist_ok=True)
    asks = "import importlib.metadata as m; print(m.version('vllm'))"
    version = subprocess.run(["python3", "-c", asks], capture_output=True, text=True, check=True).stdout.strip()
    source = f"vllm {version}, recorded by scripts/record_vllm_gpu.py on {said}"
    rows = []
    for run in RUNS:
        if given.only and run.id not in given.only:
            continue
        if time.monotonic() > end - 45:
            print(f"{run.id}: no time left", flush=True)
            continue
        row = record(run, accelerator, given.logs, end)
        rows.append(row)
        beside = given.out.with_suffix(".new")
        beside.write_text(json.dumps({"source": source, "accelerator": accelerator, "rows": rows}, indent=1) + "\n")
        beside.replace(given.out)
        print(run.id, json.dumps({k: row.get(k) for k in ("fault", "ready_s", "logged", "speeds")}), flush=True)


if __name__ == "__main__":
    main()
