"""The deployments that sites ask for most, as reviewed, and against what the engines' own projects publish for them.

`DSDEPLOY_REWRITE=1 pytest tests/unit/test_engine_recipes.py` rewrites tests/golden/engines; its diff is the review.
"""

import json
import os
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from dsdeploy.adapters.engines import find_engine_adapter
from dsdeploy.core.deployment import Deployment, Launch, Place
from dsdeploy.core.flags import flag_table

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "engines"
PUBLISHED = json.loads((ROOT / "tests" / "truth" / "recipes.json").read_text(encoding="utf-8"))
PLACE = Place("/weights", "deepseek", "/run/secrets/api-keys", leader_address="LEADER")


def on(
    accelerator, devices, model, format, *, nodes=1, tp=1, pp=1, dp=1, ep=False, engine="vllm", version=None, **more
):
    versions = {"vllm": "0.32.0", "sglang": "0.5.23", "llama.cpp": "b11382", "vllm-ascend": "0.23.0"}
    settings = {"max_model_len": 32768, "max_num_seqs": 64, "memory_utilization": 0.9} | more
    return Deployment(
        model, format, engine, version or versions[engine], accelerator, devices, nodes, 1, tp, pp, dp, ep, **settings
    )  # fmt: skip


R1, V3, V32, FLASH, PRO = "deepseek-r1", "deepseek-v3", "deepseek-v3.2", "deepseek-v4-flash", "deepseek-v4-pro"
QWEN, LLAMA = "deepseek-r1-distill-qwen-", "deepseek-r1-distill-llama-"
MIXED = "fp4-experts+fp8"
RECIPES = {
    "r1-fp8-8x-h200": on("h200-141gb", 8, R1, "fp8-block", tp=8, ep=True),
    "r1-fp8-8x-h200-sglang": on("h200-141gb", 8, R1, "fp8-block", tp=8, engine="sglang", memory_utilization=None),
    "v3-fp8-8x-h200": on("h200-141gb", 8, V3, "fp8-block", tp=8, ep=True),
    "r1-fp8-2x8x-h100": on("h100-sxm5-80gb", 8, R1, "fp8-block", nodes=2, tp=8, pp=2, ep=True),
    "r1-fp8-2x8x-h20-96gb": on("h20-96gb", 8, R1, "fp8-block", nodes=2, tp=8, pp=2, ep=True),
    "r1-fp8-8x-h20-141gb": on("h20-141gb", 8, R1, "fp8-block", tp=8, ep=True),
    "r1-fp8-8x-mi300x": on("mi300x", 8, R1, "fp8-block", tp=8, ep=True),
    "r1-awq-8x-a800": on("a800-sxm4-80gb", 8, R1, "awq-int4", tp=8),
    "r1-w8a8-2x8x-ascend-910b3": on(
        "ascend-910b3", 8, "deepseek-r1-0528", "w8a8-int8", nodes=2, tp=8, dp=2, ep=True, engine="vllm-ascend",
        max_num_seqs=16, draft_tokens=1,
    ),
    "r1-w8a8-4x8x-ascend-910b3": on(
        "ascend-910b3", 8, "deepseek-r1-0528", "w8a8-int8", nodes=4, tp=8, dp=4, ep=True, engine="vllm-ascend",
        max_num_seqs=16, draft_tokens=1,
    ),
    "r1-w8a8-2x8x-ascend-910b3-sglang": on(
        "ascend-910b3", 8, "deepseek-r1-0528", "w8a8-int8", nodes=2, tp=16, engine="sglang", version="0.5.18",
        max_num_seqs=16, memory_utilization=None, draft_tokens=1,
    ),
    "r1-w4a8-16x-ascend-910c-sglang": on(
        "ascend-910c", 16, "deepseek-r1-0528", "w4a8-int4", tp=16, engine="sglang", version="0.5.18",
        max_num_seqs=16, memory_utilization=None, draft_tokens=2,
    ),
    "r1-gguf-iq1s-2x-h100": on(
        "h100-sxm5-80gb", 2, R1, "gguf-ud-iq1_s", engine="llama.cpp", max_model_len=8192, max_num_seqs=2,
        memory_utilization=None,
    ),
    "r1-gguf-iq1s-1x-rtx4090-256gb-host": on(
        "rtx4090", 1, R1, "gguf-ud-iq1_s", engine="llama.cpp", max_model_len=8192, max_num_seqs=1,
        memory_utilization=None, expert_layers_in_host=58,
    ),
    "v3.2-fp8-8x-h200": on("h200-141gb", 8, V32, "fp8-block", dp=8, ep=True),
    "v3.2-fp8-8x-b200": on("b200", 8, V32, "fp8-block", dp=8, ep=True),
    "v4-flash-8x-h200": on("h200-141gb", 8, FLASH, MIXED, dp=8, ep=True, draft_tokens=2),
    "v4-flash-8x-b200": on("b200", 8, FLASH, MIXED, dp=8, ep=True, draft_tokens=2),
    "v4-pro-8x-h200": on("h200-141gb", 8, PRO, MIXED, tp=8, ep=True, max_num_seqs=16, memory_utilization=0.95),
    "v4-pro-8x-b200": on("b200", 8, PRO, MIXED, tp=8, ep=True),
    "distill-qwen-1.5b-1x-t4": on("t4", 1, f"{QWEN}1.5b", "bf16", max_model_len=8192, max_num_seqs=8),
    "distill-qwen-7b-fp8-1x-t4": on("t4", 1, f"{QWEN}7b", "fp8", max_model_len=8192, max_num_seqs=4),
    "distill-qwen-7b-1x-a10": on("a10", 1, f"{QWEN}7b", "bf16", max_model_len=8192, max_num_seqs=8),
    "distill-llama-8b-1x-a10": on("a10", 1, f"{LLAMA}8b", "bf16", max_model_len=8192, max_num_seqs=8),
    "distill-qwen-7b-1x-ascend-310p": on(
        "ascend-310p", 1, f"{QWEN}7b", "bf16", engine="vllm-ascend", max_model_len=8192, max_num_seqs=8
    ),
    "distill-0528-qwen3-8b-1x-a10": on(
        "a10", 1, "deepseek-r1-0528-qwen3-8b", "bf16", max_model_len=8192, max_num_seqs=8
    ),
    "distill-qwen-14b-2x-a10": on("a10", 2, f"{QWEN}14b", "bf16", tp=2, max_model_len=8192, max_num_seqs=8),
    "distill-qwen-14b-w8a8-1x-a10": on("a10", 1, f"{QWEN}14b", "w8a8-int8", max_model_len=8192, max_num_seqs=4),
    "distill-qwen-32b-w4a16-1x-l40s": on("l40s", 1, f"{QWEN}32b", "w4a16", max_model_len=16384, max_num_seqs=8),
    "distill-qwen-32b-2x-l40s": on("l40s", 2, f"{QWEN}32b", "bf16", tp=2, max_model_len=16384, max_num_seqs=8),
    "distill-llama-70b-w4a16-2x-l40s": on(
        "l40s", 2, f"{LLAMA}70b", "w4a16", tp=2, max_model_len=8192, max_num_seqs=4
    ),
    "distill-llama-70b-4x-a800": on("a800-sxm4-80gb", 4, f"{LLAMA}70b", "bf16", tp=4),
}  # fmt: skip
# Where a node stands, what it is called and how much one asks of it is the site's: no part of a recipe.
_SITE = {
    "--served-model-name", "--host", "--port", "--max-model-len", "--max-num-seqs", "--gpu-memory-utilization",
    "--context-length", "--max-running-requests", "--mem-fraction-static", "--seed",
}  # fmt: skip


def launches(recipe: str) -> list[Launch]:
    one = RECIPES[recipe]
    ranks = [str(rank) for rank in range(one.nodes)]
    return [find_engine_adapter(one.engine).launch(one, replace(PLACE, node_rank=rank)) for rank in ranks]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_rendered_as_reviewed(recipe):
    nodes = [asdict(launch) for launch in launches(recipe)]
    for one in nodes:
        one["argv"] = ["(reads the key)" if "\n" in word else word for word in one["argv"]]
    content = json.dumps({"deployment": asdict(RECIPES[recipe]), "nodes": nodes}, indent=1) + "\n"
    golden = GOLDEN / f"{recipe}.json"
    if os.environ.get("DSDEPLOY_REWRITE"):
        golden.write_text(content, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == content


def test_no_golden_is_left_over():
    assert {one.stem for one in GOLDEN.glob("*.json")} == set(RECIPES)


def pairs(engine: str, version: str, words: list[str]) -> dict[str, str]:
    """Option → value, by each option's first name; "" for a switch."""
    table, found, position = flag_table(engine, version), {}, 0
    while position < len(words):
        name, joined, value = words[position].partition("=")
        position += 1
        option = table.options.get(name)
        takes = not joined and (option is None or option.type != "bool") and position < len(words)
        while takes and position < len(words) and not re.match(r"--[a-z]", words[position]):
            value = f"{value} {words[position]}".strip()
            position += 1
        first = option.names[0] if option and option.type != "bool" else name
        found[first] = json.dumps(json.loads(value), sort_keys=True) if value.startswith("{") else value
    return found


def differences(published: dict) -> set[str]:
    one = RECIPES[published["recipe"]]
    engine = "sglang" if one.engine == "sglang" else "vllm"
    launch = launches(published["recipe"])[0]
    ours = pairs(engine, one.engine_version, list(launch.argv[5 if engine == "sglang" else 7 :]))
    theirs = pairs(engine, one.engine_version, published["options"])
    names = {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}
    variables = {name for name, value in published["environment"].items() if launch.environment.get(name) != value}
    return (names - _SITE - {"--load-format", "--master-port", "--model-path"}) | (variables - {"SERVER_PORT"})


def explained(document: str) -> set[str]:
    """The first column of the table of differences."""
    lines = (ROOT / "docs" / document).read_text(encoding="utf-8").splitlines()
    rows = [line.split("|")[1] for line in lines if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


@pytest.mark.parametrize("document", ["engines.md", "engines.zh.md"])
def test_each_difference_to_a_published_recipe_is_explained_and_no_other(document):
    differ = set().union(*(differences(one) for one in PUBLISHED))
    assert differ == explained(document)


@pytest.mark.parametrize(("model", "ranks", "asked"), [(R1, 8, 8 * 40), (R1, 1, 40), (f"{QWEN}32b", 2, 40)])
def test_each_rank_of_sglang_gets_the_seats_that_were_planned_for_it(model, ranks, asked):
    """Attention's groups share one server's number; a dense model's ranks are servers of their own."""
    shape = {"tp": 8, "dp": ranks} if model == R1 else {"tp": 4, "dp": ranks}
    form = "fp8-block" if model == R1 else "bf16"
    one = on("h20-141gb", 8, model, form, engine="sglang", memory_utilization=None, max_num_seqs=40, **shape)
    words = find_engine_adapter("sglang").launch(one, PLACE).argv
    assert words[words.index("--max-running-requests") + 1] == str(asked)
