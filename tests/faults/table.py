"""The page of all checks: what each proves, its limit, and the fault that a test plants to see it caught.

`python -m tests.faults.table` writes docs/checks.md and docs/checks.zh.md.
"""

import json
from pathlib import Path

from dsdeploy.core.checks import GROUPS, CheckFacts, check_facts
from dsdeploy.core.verdicts import GROUP_WORDS

ROOT = Path(__file__).parents[2]
PAGES = {"en": ROOT / "docs/checks.md", "zh": ROOT / "docs/checks.zh.md"}
_WORDS = {
    "en": (
        "# Checks\n\n[中文](checks.zh.md)\n\n`dsdeploy check` runs every check; none stops another. `--list` tells "
        "them; `--only`, `--skip` and `--demote` take an id or a group; what disturbs the service runs only with "
        "`--also` or `--only`. A check that cannot be judged says why and proves nothing. For each check a test plants "
        "a fault, and sees it caught by this check and by no wrong one.\n\n"
        "All but `speed` took 8.5 s (median of three, 2026-11-27) for a service of 2,048 tokens of context on a "
        "processor of two cores (AMD EPYC, a model of 270 million parameters), 13.1 s for one of 4,096. The prompt "
        "near the limit alone, asked plainly in the same run, takes 4.1 and 8.8 s of them, and no shorter prompt shows "
        "that one near the limit is read. What asks the engine nothing took half a second in all. "
        "`python -m benchmarks.check` measures it again.\n",
        "| Check | A pass proves | Limit and its source | Planted fault | Test |",
    ),
    "zh": (
        "# 检查项\n\n[English](checks.md)\n\n`dsdeploy check` 执行全部检查，互不中断。`--list` 列出各项检查；"
        "`--only`、`--skip`、`--demote` 可使用检查标识或分组；会干扰服务的检查仅在 `--also` 或 `--only` 指定时执行。"
        "无法判定的检查会说明原因，"
        "不构成任何证明。每项检查都有测试植入故障，并验证仅由该检查发现、没有误报。\n\n"
        "除 `speed` 外的全部检查，在双核处理器（AMD EPYC，2.7 亿参数模型，2026-11-27，三次运行的中位数）、"
        "上下文 2,048 token 的服务上用时 8.5 秒，上下文 4,096 时用时 13.1 秒。其中仅接近上限的那次输入，"
        "在同一次运行中单独发送就需 4.1 秒与 8.8 秒；更短的输入无法证明接近上限的输入被完整读取。"
        "不访问引擎的检查合计约半秒。可用 `python -m benchmarks.check` 重新测量。\n",
        "| 检查项 | 通过即证明 | 限值及来源 | 植入的故障 | 测试 |",
    ),
}


def planted() -> dict[str, dict[str, str]]:
    """By check: the fault in words of each language, and the tests that plant it."""
    content: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("planted.json").read_text("utf-8"))
    return content


def render(language: str) -> str:
    intro, head = _WORDS[language]
    parts = [intro]
    for group in GROUPS:
        rows = [_row(one, language) for one in check_facts().values() if one.group == group]
        title = f"## {GROUP_WORDS[group].render(language)}\n"
        parts.append("\n".join((title, head, "|---|---|---|---|---|", *rows, "")))
    return "\n".join(parts)


def _row(check: CheckFacts, language: str) -> str:
    fault = planted()[check.id]
    return f"| `{check.id}` | {check.truth[language]} | {check.limit} | {fault[language]} | {fault['test']} |"


if __name__ == "__main__":
    for language, path in PAGES.items():
        path.write_text(render(language), encoding="utf-8")
