"""The plan file, field by field."""

import inspect
from typing import Any, get_args

from dsdeploy.core.values import Plan
from scripts.reference.page import code, table
from scripts.reference.schema import kept, parts_of

_WORDS = {
    "en": ("The plan file", "Field", "Type", "Needed", "yes", "no",
           "YAML with `apiVersion: dsdeploy/v1` and `kind: Plan`, made to be read and edited. An unknown key is an error "
           "that names the nearest known one; `dsdeploy plan --verify plan.yaml` judges a plan again after an edit. JSON "
           "Schemas for editors and CI: [plan](../schema/plan.json), [request](../schema/request.json), "
           "[profile](../schema/profile.json). Units stand in names; unknown is `null`, never 0."),
    "zh": ("方案文件", "字段", "类型", "必填", "是", "否",
           "YAML 文件，含 `apiVersion: dsdeploy/v1` 与 `kind: Plan`，便于阅读和手工修改。未知的键会报错并给出最接近的键；修改后用 "
           "`dsdeploy plan --verify plan.yaml` 重新评判。供编辑器和 CI 使用的 JSON Schema：[plan](../schema/plan.json)、"
           "[request](../schema/request.json)、[profile](../schema/profile.json)。单位写在名称里；未知为 `null`，绝不用 0。"),
}  # fmt: skip
_ZH = {
    "Plan": "各命令之间的约定：所选方案、内存与速度，以及每个落选候选。",
    "Request": "用户想要什么；`model_id` 为 `null` 表示放得下的最好模型。没有 `workload` 时所有用户同时提问，且每人可占满 "
    "`context_tokens`；指定后，并发数由提问频率推出。`aim` 为 quality、latency、throughput 或 cost。",
    "Deployment": "一个模型在一种引擎上的一种切分；`replicas` 份并列。`devices_per_node` 与 `nodes` 属于单个副本；`max_num_seqs` "
    "是单个副本同时处理的请求数；`draft_tokens` 为 MTP 每步草拟的 token 数，0 表示不用。",
    "MemoryBudget": "一个 llama.cpp 服务占用的主机内存，逐项列出。",
    "DeviceMemory": "占用最多的那张加速卡的显存；`terms_bytes` 是权重与 KV 缓存之外的各项。`kv_cache_tokens` 是引擎将报告的数值，"
    "`needed_tokens` 是负载同时占用的数值。",
    "PlannedSpeed": "同时处理 `at_once` 个请求时，整个服务的预期表现。",
    "Band": "一个预测值及其上下界。",
    "Quality": "`score` 为计入量化损失后的 GPQA Diamond 百分数；`basis` 说明是公布值还是推得。",
    "Rejected": "落选的候选，以及它违反的第一条规则与差距。`needed` 与 `available` 的单位由规则决定。",
    "Remark": "一条提醒：`code` 指向消息，`values` 填入其中；适用于 `times` 台机器。",
    "Alternative": "同样放得下但排名较低的候选。",
    "Change": "只改动一项、就能容纳更好模型的最小改动：devices、nodes、context 或 users。",
}


def page(language: str) -> str:
    title, field, kind_word, needed, yes, no, about = _WORDS[language]
    parts = [f"# {title}\n", about + "\n"]
    for name, kind in parts_of(Plan).items():
        english = inspect.cleandoc(kind.__doc__ or "")
        rows = ((code(one), code(_spelled(hint)), yes if must else no) for one, hint, must in kept(kind))
        parts += [f"## {name}\n", (_ZH.get(name, english) if language == "zh" else english) + "\n"]
        parts.append(table((field, kind_word, needed), rows))
    return "\n".join(parts)


def _spelled(hint: Any) -> str:
    words = str(hint) if get_args(hint) else getattr(hint, "__name__", str(hint))
    for module in ("dsdeploy.core.plan.", "dsdeploy.core.deployment.", "dsdeploy.core.band.", "dsdeploy.core.values."):
        words = words.replace(module, "")
    return words.replace("tuple[", "list[").replace(", ...]", "]")
