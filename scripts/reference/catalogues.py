"""What is known by name: models, formats, accelerators, engines, workloads, industries."""

from typing import Any

from dsdeploy.core.accelerators import accelerators
from dsdeploy.core.catalogue import losses, models, variants
from dsdeploy.core.engines import engines
from dsdeploy.core.industries import industries
from dsdeploy.core.licences import LICENCES, bindings
from dsdeploy.core.workloads import workloads
from scripts.reference.page import code, table

_GIB = 1 << 30
_EXPORT = {"en": "export-limited", "zh": "受出口管制影响"}


def models_page(language: str) -> str:
    en = language == "en"
    parts = ["# " + ("Models and formats" if en else "模型与格式") + "\n"]
    parts.append(
        "`dsdeploy models show MODEL` says everything that is known of one, with sources. Sizes are GiB of weights.\n"
        if en
        else "`dsdeploy models show MODEL` 显示某个模型的全部已知信息与来源。大小为权重的 GiB 数。\n"
    )
    head = ("Model", "Family", "Licences", "Formats (GiB)") if en else ("模型", "系列", "许可", "格式（GiB）")
    rows = []
    for one in models():
        known: dict[str, float | None] = {}
        for variant in variants(one["id"]):
            known.setdefault(variant.format, variant.size_bytes and variant.size_bytes / _GIB)
        formats = ", ".join(f"{name} ({size:,.1f})" if size else name for name, size in known.items())
        licences = dict.fromkeys(binding.licence.name for binding in bindings(one))
        rows.append((code(one["id"]), one["family"], ", ".join(licences), formats))
    parts.append(table(head, rows))
    parts.append(_losses(language))
    parts.append("## " + ("Licence duties" if en else "许可义务") + " {#licence-duties}\n")
    for licence in LICENCES.values():
        parts.append(f"### {licence.name}\n\n<{licence.source}>\n")
        parts.append("\n".join(f"- {duty.render(language)}" for duty in licence.duties) + "\n")
    return "\n".join(parts)


def _losses(language: str) -> str:
    """What was measured of a quantised model, against the native weights."""
    en = language == "en"
    rows = [
        (one.model_id, one.format, row) for model in models() for one in variants(model["id"]) for row in one.quality
    ]
    rows += [(one["model_id"], one["format"], one) for one in losses()]
    shown = [
        (code(model), code(format), f"{left:.1f}", row["source"])
        for model, format, row in rows
        if (left := _left_percent(row)) is not None
    ]
    head = ("Model", "Format", "% of native quality", "Source") if en else ("模型", "格式", "原生质量的百分比", "来源")
    title = "## " + ("Measured losses" if en else "实测损失") + " {#measured-losses}\n"
    return "\n".join([title, table(head, shown)])


def _left_percent(row: dict[str, Any]) -> float | None:
    if "recovery_percent" in row:
        return float(row["recovery_percent"])
    return 100 - float(row["drop_percent"]) if "drop_percent" in row else None


def accelerators_page(language: str) -> str:
    en = language == "en"
    head = ("Name", "Known as", "Vendor", "Memory GiB", "GB/s", "Dense TFLOP/s", "Weight formats")
    if not en:
        head = ("名称", "产品名", "厂商", "显存 GiB", "GB/s", "稠密算力 TFLOP/s", "权重格式")
    rows = []
    for one in accelerators():
        speeds = ", ".join(f"{name} {speed:g}" for name, speed in one.dense_tflops.items())
        name = one.name + (f" ({_EXPORT[language]})" if one.export_limited else "")
        rate = one.memory_bytes_per_s and f"{one.memory_bytes_per_s / 1e9:,.0f}"
        memory = f"{one.memory_nominal_bytes / _GIB:g}"
        rows.append((code(one.id), name, one.vendor, memory, rate, speeds, ", ".join(one.formats)))
    about = "– is unknown. Each figure names its source in `accelerators.json`.\n"
    if not en:
        about = "– 表示未知。每个数字的来源见 `accelerators.json`。\n"
    title = "# " + ("Accelerators" if en else "加速卡") + "\n"
    second = "## " + ("Engines: what runs where" if en else "引擎：什么能在哪里运行") + " {#engines}\n"
    lines = [
        (code(one.name), code(target), ", ".join(formats)) for one in engines() for target, formats in one.runs.items()
    ]
    heads = ("Engine", "Compiled for", "Weight formats") if en else ("引擎", "编译目标", "权重格式")
    return "\n".join([title, about, table(head, rows), second, table(heads, lines)])


def presets_page(language: str) -> str:
    en = language == "en"
    head = (
        "Preset",
        "Use",
        "Requests per user and hour",
        "Prompt tokens",
        "Output tokens",
        "First token s",
        "tokens/s",
    )
    if not en:
        head = ("预设", "用途", "每人每小时请求数", "提示词 token", "输出 token", "首 token 时延 s", "tokens/s")
    rows = [
        (code(one.id), one.title[language], f"{one.requests_per_user_per_hour:g}",
         f"{one.prompt_tokens.mean} (p95 {one.prompt_tokens.p95})",
         f"{one.output_tokens.mean} (p95 {one.output_tokens.p95})",
         f"{one.first_token_s:g}", f"{one.tokens_per_s_per_user:g}")
        for one in workloads()
    ]  # fmt: skip
    parts = ["# " + ("Workloads and industries" if en else "工作负载与行业") + "\n"]
    parts.append(
        "A preset is a starting point: `dsdeploy plan --workload NAME`; measure your own as soon as you can.\n"
        if en
        else "预设只是起点：`dsdeploy plan --workload NAME`；请尽早用自己的实测值替换。\n"
    )
    parts.append(table(head, rows))
    parts.append("## " + ("Industries" if en else "行业") + "\n")
    for one in industries():
        parts.append(f"### {one.id}: {one.title[language]}\n")
        where = "Where" if en else "出处"
        parts.append(
            table(
                ("Setting" if en else "设置", "Value" if en else "取值", "Follows from" if en else "依据", where),
                (
                    (code(name), code(_value(getattr(one.settings, name))), rule.words[language], rule.where)
                    for name, rules in one.rules.items()
                    for rule in rules
                ),
            )
        )
    return "\n".join(parts)


def _value(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
