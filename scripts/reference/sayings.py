"""The checks, and what findings, warnings and rules say."""

import inspect
import re
from collections.abc import Callable, Iterator

from dsdeploy.core.texts import catalogue
from dsdeploy.stages.check import CHECKS
from scripts.reference.page import code, table

_SHOWN = ("finding", "host", "warning", "rule", "change", "verdict", "duty", "estimate", "plan", "speed")


def checks_page(language: str) -> str:
    en = language == "en"
    about = (
        "`dsdeploy check` runs every one; `--only`, `--skip` and `--demote` (a failure only warns) take the id. A check is "
        "skipped where one that it needs did not pass. Verdict: fail (exit code 3) if one fails, warn (4 with `--strict`).\n"
        if en
        else "`dsdeploy check` 会全部执行；`--only`、`--skip` 与 `--demote`（失败只作警告）接受检查的 id。所依赖的检查未通过时跳过。"
        "结论：有一项失败即为失败（退出码 3），警告在 `--strict` 下为 4。\n"
    )
    head = ("Check", "Needs", "What it may say") if en else ("检查", "依赖", "可能的结论")
    words = catalogue()
    rows = []
    for one in CHECKS:
        judge = next(value for name in ("judge", "run", "examine") if (value := getattr(one, name, None)))
        ids = dict.fromkeys(id for id in _said(inspect.unwrap(judge)) if id in words)
        rows.append((code(one.id), code(*one.needs), "\n".join(words[id][language] for id in ids)))
    return "\n".join(["# " + ("Checks" if en else "检查") + "\n", about, table(head, rows)])


def _said(judge: Callable[..., object]) -> Iterator[str]:
    """Ids of messages in the order of its source, those of its module's own functions where it calls them."""
    for id, name in re.findall(r'text\(\s*"([a-z0-9-]+)"|\b(_\w+)\(', inspect.getsource(judge)):
        inner = getattr(inspect.getmodule(judge), name, None) if name else None
        if id:
            yield id
        elif inspect.isfunction(inner) and inner is not judge:
            yield from _said(inner)


def messages_page(language: str) -> str:
    en = language == "en"
    about = (
        "What profiles, plans and estimates may remark, by the id that `--json` carries. Words in braces are filled in.\n"
        if en
        else "识别、规划与估算可能给出的提示，按 `--json` 中的 id 排列。花括号中的词会被实际内容替换。\n"
    )
    parts = ["# " + ("Findings and warnings" if en else "发现与警告") + "\n", about]
    for area in _SHOWN:
        rows = [(code(id), both[language]) for id, both in sorted(catalogue().items()) if id.split("-")[0] == area]
        if rows:
            parts += [f"## {area}\n", table(("Id", "Message" if en else "消息"), rows)]
    return "\n".join(parts)
