"""The page of benchmarks, its picture and the README's figures, from what `python -m benchmarks` kept."""

import json
import re
from html import escape
from pathlib import Path
from typing import Any

from scripts.reference.page import cell, code, table

DATA = Path(__file__).parents[2] / "docs/figures/benchmarks.json"
BEGIN, END = "<!-- benchmarks: made by python -m scripts.write_reference -->", "<!-- benchmarks end -->"
_WORDS = {
    "en": {
        "title": "Benchmarks",
        "about": "Each part is measured beside a plain tool in the same run, so that a busy machine weighs on both. "
        "`python -m benchmarks` runs them all on a quiet machine in about 25 minutes and rewrites this page; one alone is "
        "`python -m benchmarks.startup`. What sizing is held against is another matter: [how sure it is](sizing.md).",
        "head": ("What", "dsdeploy", "Beside it", "Ratio", "To reach", ""),
        "most": "at most {}", "least": "at least {}", "reached": "reached", "missed": "**missed**",
        "none": "Not measured yet.",
        "beside": "Beside {}.", "failed": "Failed: {}", "not_here": "Cannot run on this machine: {}",
        "machine": "{date}, {cpu}, {cores} cores, {memory:.0f} GiB, Python {python}, {system}; load average {load} before it.",
        "sum": "{reached} of {limits} limits reached.",
        "without": "Without figures: {}.",
        "picture": "How much of each limit is used",
        "axis": "the limit",
        "readme": ("What", "dsdeploy", "Beside it", "To reach"),
        "repeat": "`python -m benchmarks` repeats them; all of them: [docs/benchmarks.md](docs/benchmarks.md).",
    },
    "zh": {
        "title": "基准测试",
        "about": "每一部分都在同一次运行中与普通工具对照，因此机器繁忙对双方影响相同。`python -m benchmarks` 在空闲机器上约 25 分钟跑完"
        "全部并重写本页；单独运行一项：`python -m benchmarks.startup`。资源估算的对照是另一回事：[有多可信](sizing.md)。",
        "head": ("项目", "dsdeploy", "对照", "比值", "目标", ""),
        "most": "不超过 {}", "least": "不低于 {}", "reached": "达到", "missed": "**未达到**",
        "none": "尚未测量。",
        "beside": "对照：{}。", "failed": "失败：{}", "not_here": "无法在这台机器上运行：{}",
        "machine": "{date}，{cpu}，{cores} 核，{memory:.0f} GiB，Python {python}，{system}；测量前平均负载 {load}。",
        "sum": "{limits} 项目标中达到 {reached} 项。",
        "without": "没有数据的项目：{}。",
        "picture": "每项目标用去多少",
        "axis": "目标",
        "readme": ("项目", "dsdeploy", "对照", "目标"),
        "repeat": "用 `python -m benchmarks` 重复测量；全部结果见 [docs/benchmarks.zh.md](docs/benchmarks.zh.md)。",
    },
}  # fmt: skip
_GAP = {"en": " ", "zh": ""}  # between sentences
_ZH = {
    "startup": "启动", "catalogue": "目录", "estimates": "估算", "plan": "规划", "digests": "摘要", "bundle": "离线包",
    "gateway": "网关", "chart": "Chart 渲染", "load": "负载发生器", "check": "检查", "kubernetes": "Kubernetes",
    "dsdeploy --help": "dsdeploy --help", "dsdeploy plan": "dsdeploy plan",
    "loading the whole catalogue": "加载整个目录",
    "first question to the catalogue": "首次查询目录",
    "one memory estimate": "一次显存估算", "one whole estimate": "一次完整估算",
    "a plan for one node of eight": "为一台八卡节点规划", "memory of that plan": "该次规划占用的内存",
    "a plan for one model, beside llmfit plan": "为单个模型规划，对照 llmfit plan",
    "1,000 nodes of 40 kinds, beside 40 nodes": "40 种共 1,000 个节点，对照 40 个节点",
    "memory of 1,000 nodes": "规划 1,000 个节点占用的内存",
    "checking digests, file in the page cache": "校验摘要，文件在页缓存中",
    "processor time of the client per 1,000 tokens/s": "客户端处理器时间，每 1,000 token/秒",
    "check without speed, small context": "不含 speed 的检查，小上下文",
    "check without speed, larger context": "不含 speed 的检查，较大上下文",
    "time to first token": "首 token 时延",
    "time to first token, later than the bare socket": "首 token 时延，晚于裸套接字",
    "peak memory of a fetch, beside the program before it": "获取权重时的内存峰值，对照获取之前",
    "json.loads of the same files": "用 `json.loads` 读取同样的文件", "json.loads of models.json": "用 `json.loads` 读取 `models.json`",
    "cp and openssl dgst": "`cp` 与 `openssl dgst`", "the engine directly": "直接访问引擎",
    "a client of bare sockets": "裸套接字客户端", "a chat of nine tenths of the context": "一次占上下文九成的对话",
}  # fmt: skip

# Names that are put together, and in what; longer parts first.
_PARTS = (
    ("most disk of building less a volume, of the payload", "构建的磁盘峰值减一个分卷，占内容之比"),
    ("most disk of loading less a volume, of the payload", "加载的磁盘峰值减一个分卷，占内容之比"),
    ("bytes read by building, of the payload", "构建读取的字节，占内容之比"),
    ("bytes read by loading, of the payload", "加载读取的字节，占内容之比"),
    ("written again after a kill", "中断后重写的数据"),
    ("memory of building", "构建占用的内存"), ("memory of loading", "加载占用的内存"),
    ("building beside ", "构建，对照 "), ("loading beside ", "加载，对照 "),
    ("building, ", "构建，"), ("verifying, ", "校验，"), ("loading, ", "加载，"),
    (": throughput kept, lower bound", "：吞吐保留比例下界"), (": throughput kept, upper bound", "：吞吐保留比例上界"),
    (": throughput", "：吞吐"), (": added to an answer", "：回答增加的时间"),
    (", all streams running", "，全部流进行中"), (", upper bound", "，上界"), ("stand-in", "替身引擎"),
    ("rendering 671B on four nodes", "渲染四节点 671B 部署"),
    ("from the command to the first answered chat", "从命令到首次得到回答"),
    (", cold", "，冷缓存"), (", warm", "，热缓存"), (", 2 GB", "，2 GB"), (", 8 GB", "，8 GB"), (", 20 GB", "，20 GB"),
)  # fmt: skip
_NAMES = re.compile(r"dsdeploy \w+|`.*`|python -c .*|helm .*|llmfit plan|tar, split and sha256sum|restic restore")


def kept() -> dict[str, Any]:
    return json.loads(DATA.read_text(encoding="utf-8")) if DATA.is_file() else {}


def untranslated() -> list[str]:
    found = [said for name, one in kept().items() for said in (name, one.get("baseline", ""))]
    found += [row["what"] for one in kept().values() for row in one.get("rows", ())]
    return [one for one in found if re.search(r"[a-z]{3,} [a-z]{2,}", _NAMES.sub("", _name(one, "zh")))]


def page(language: str) -> str:
    words = _WORDS[language]
    parts = [f"# {words['title']}\n", words["about"] + "\n"]
    if not kept():
        return "\n".join([*parts, words["none"] + "\n"])
    name = "benchmarks.zh.svg" if language == "zh" else "benchmarks.svg"
    parts += [_sum(language) + "\n", f"![{words['picture']}](figures/{name})\n"]
    for one in kept().values():
        parts.append(f"## {_name(one['name'], language)}\n")
        parts += [words[why].format(code(one[why])) + "\n" for why in ("failed", "not_here") if why in one]
        if rows := one.get("rows"):
            beside = _name(one["baseline"], language)
            parts.append(words["beside"].format(code(beside) if beside == one["baseline"] else beside) + "\n")
            parts.append(table(words["head"], (_row(row, language) for row in rows)))
        memory = one["machine"]["memory_bytes"] / (1 << 30)
        parts.append(words["machine"].format(memory=memory, **one["machine"]) + "\n")
    return "\n".join(parts)


def block(language: str) -> str:
    """The first row of each benchmark, for the README."""
    words = _WORDS[language]
    if not kept():
        return words["none"]
    first = [one["rows"][0] for one in kept().values() if one.get("rows")]
    rows = ((what, ours, other, limit) for what, ours, other, _, limit, _ in (_row(row, language) for row in first))
    return f"{table(words['readme'], rows)}\n{_sum(language)}{_GAP[language]}{words['repeat']}"


def filled(readme: str, language: str) -> str:
    """The README with its block of figures written anew."""
    before, _, rest = readme.partition(BEGIN)
    return f"{before}{BEGIN}\n{block(language)}\n{END}{rest.partition(END)[2]}"


def picture(language: str) -> str:
    """A bar for each figure that has a limit: the share of the limit it uses, whichever way is better."""
    words = _WORDS[language]
    rows = [(row, _used(row)) for one in kept().values() for row in one.get("rows", ()) if _used(row) is not None]
    height, left, unit = 26 * len(rows) + 58, 400, 300
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 {height}" font-size="13" role="img" '
        "font-family=\"system-ui, 'Noto Sans CJK SC', sans-serif\">",
        f'<title>{words["picture"]}</title>\n<rect width="960" height="{height}" fill="#fff"/>',
        f'<path d="M{left + unit} 30V{height - 14}" stroke="#c62828" stroke-width="2" stroke-dasharray="7 5"/>',
        f'<text x="{left + unit}" y="22" text-anchor="middle" fill="#c62828">{words["axis"]}</text>',
    ]
    for number, (row, used) in enumerate(rows):
        y, long = 40 + 26 * number, max(2.0, min(used, 1.6) * unit)
        colour = "#3949ab" if used <= 1 else "#c62828"
        drawn += [
            f'<text x="{left - 10}" y="{y + 13}" text-anchor="end" fill="#333">{escape(_name(row["what"], language))}</text>',
            f'<rect x="{left}" y="{y}" width="{long:.0f}" height="17" fill="{colour}"/>',
            f'<text x="{left + long + 6:.0f}" y="{y + 13}" fill="#333" stroke="#fff" stroke-width="3" '
            f'paint-order="stroke">{escape(_row(row, language)[3 if row["of"] == "ratio" else 1])}</text>',
        ]
    return "\n".join([*drawn, "</svg>"]) + "\n"


def _name(what: str, language: str) -> str:
    if language != "zh" or what in _ZH:
        return _ZH.get(what, what) if language == "zh" else what
    for english, chinese in _PARTS:
        what = what.replace(english, chinese)
    return what


def _row(row: dict[str, Any], language: str) -> tuple[str, str, str, str, str, str]:
    words, unit = _WORDS[language], {"x": "×"}.get(row["unit"], row["unit"])
    limit = verdict = ""
    if row["limit"] is not None:
        number = f"{row['limit']:,g}" + (" ×" if row["of"] == "ratio" else f" {unit}")
        limit = words["least" if row["more"] else "most"].format(number)
        used = _used(row)
        verdict = "" if used is None else words["reached" if used <= 1 else "missed"]
    ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f} ×"
    baseline = "" if row["baseline"] is None else f"{_figure(row['baseline'])} {unit}"
    return _name(row["what"], language), f"{_figure(row['ours'])} {unit}", baseline, ratio, limit, verdict


def _figure(value: float) -> str:
    """Three figures that matter, never as a power of ten."""
    return (
        f"{value:,.0f}"
        if abs(value) >= 100
        else f"{float(f'{value:.3g}'):,g}"
        if abs(value) >= 1e-4
        else f"{value:.6f}"
    )


def _used(row: dict[str, Any]) -> float | None:
    value = row["ratio"] if row["of"] == "ratio" else row["ours"]
    if row["limit"] is None or value is None:
        return None
    if row["more"]:
        return float(row["limit"] / value) if value else float("inf")
    return float(max(value, 0) / row["limit"]) if row["limit"] else float(value > 0) * 2


def _sum(language: str) -> str:
    used = [_used(row) for one in kept().values() for row in one.get("rows", ())]
    known = [one for one in used if one is not None]
    words = _WORDS[language]
    without = [cell(_name(one["name"], language)) for one in kept().values() if not one.get("rows")]
    told = words["sum"].format(reached=sum(one <= 1 for one in known), limits=len(known))
    return _GAP[language].join([told, *([words["without"].format(", ".join(without))] if without else [])])
