"""The example of docs/planning.md is what the command in it answers, in both languages."""

import re
from pathlib import Path

import pytest

from tests.program import run_json

DOCS = Path(__file__).parents[3] / "docs"
GIB = 2**30


@pytest.fixture(scope="module")
def plan():
    command = re.search(
        r"^    dsdeploy (plan --accelerator .*)$", (DOCS / "planning.md").read_text("utf-8"), re.MULTILINE
    )
    words = [one.strip('"') for one in re.findall(r'"[^"]*"|\S+', command[1])]
    return run_json(*words)["data"]


@pytest.mark.parametrize("page", ["planning.md", "planning.zh.md"])
def test_every_figure_of_the_example_is_the_plan_s(plan, page):
    words = (DOCS / page).read_text("utf-8").rpartition("\n## ")[2]
    d, memory, speed, cost = (plan[part] for part in ("deployment", "device_memory", "speed", "cost"))
    first = speed["first_token_s"]["expected"]
    rate = speed["tokens_per_s_per_user"]
    each_s = first + 1500 / rate["expected"]
    better = next(
        one for one in plan["rejected"] if one["model_id"] == "deepseek-v4.1-flash" and one["rule"] == "speed"
    )
    figures = (
        f"{plan['quality']['score']:.1f} %", f"TP{d['tensor_parallel']}", f"{speed['at_once']}",
        f"{rate['expected']:.0f}", f"{rate['low']:.0f} – {rate['high']:.0f}", f"{first:.2f}", f"{each_s:.0f}",
        f"{each_s * 300 * 10 / 3600:.0f}", f"{memory['device_bytes'] / GIB:.1f}",
        f"{memory['weights_bytes'] / GIB:.1f}",
        f"{sum(memory['terms_bytes'].values()) / GIB:.1f}", f"{memory['kv_cache_bytes'] / GIB:.1f}",
        f"{memory['kv_cache_tokens']:,}", f"{memory['needed_tokens']:,}", f"{better['available']:.0f}",
        f"{cost['outlay']['expected']:,.0f}", f"{cost['per_month']['expected']:,.0f}",
    )  # fmt: skip
    missing = [one for one in figures if not re.search(rf"(?<![\d.,]){re.escape(one)}(?![\d])", words)]
    assert not missing, missing
    assert {"vllm": "vLLM", "sglang": "SGLang"}[d["engine"]] in words and d["replicas"] == 1
    assert any(
        one["kind"] == "nodes" and one["model_id"] == "deepseek-v4.1-flash" and one["after"] == 2
        for one in plan["changes"]
    )
