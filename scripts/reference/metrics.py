"""What `dsdeploy watch` gives to Prometheus, from the function that writes it; and where the other metrics are."""

import inspect
import re

from dsdeploy.core import metrics
from scripts.reference.page import code, table

_FAMILY = re.compile(r'\("(dsdeploy_\w+)", "([^"]+)"')
_ZH = {
    "1 for the status that a check has, 0 for the others.": "检查所处的状态为 1，其余状态为 0。",
    "1 for the verdict over all checks, 0 for the others.": "全部检查的结论为 1，其余为 0。",
    "When the checks last ran.": "最近一次检查的时间。",
    "How long they took.": "检查所用的时间。",
    "The release that is checked.": "被检查的实例。",
    "Median time to first token, as the checks measured it.": "检查测得的首 token 时延中位数。",
    "Tokens a second of all users together.": "全部用户合计的每秒 token 数。",
}  # fmt: skip
_WORDS = {
    "en": ("Metrics", "Metric", "Labels", "Meaning",
           "`dsdeploy watch --listen 127.0.0.1:9105` gives these at `/metrics`, and `--out FILE.prom` writes them for node_exporter's "
           "textfile collector; all are gauges and carry the label `release`.",
           "The engine's own metrics stay inside: under Compose they are on its closed network, under Kubernetes a ServiceMonitor "
           "reads them where `monitoring.serviceMonitor` is set ([values](values.md)), as it reads the gateway's. Their names are the "
           "engine's: `vllm:…`, `sglang:…`, `llamacpp:…`."),
    "zh": ("指标", "指标", "标签", "含义",
           "`dsdeploy watch --listen 127.0.0.1:9105` 在 `/metrics` 提供这些指标，`--out FILE.prom` 则写成文件供 node_exporter 的 textfile "
           "collector 读取；全部为 gauge，并带标签 `release`。",
           "引擎自身的指标留在内部：Compose 下位于其封闭网络，Kubernetes 下在设置 `monitoring.serviceMonitor`（[chart 的值](values.md)）后由 "
           "ServiceMonitor 读取，网关的指标同样如此。名称由引擎决定：`vllm:…`、`sglang:…`、`llamacpp:…`。"),
}  # fmt: skip


def families() -> list[tuple[str, str, tuple[str, ...]]]:
    """Name, meaning and labels besides `release`."""
    source = inspect.getsource(metrics.prometheus_text)
    named = list(_FAMILY.finditer(source))
    ends = [*(one.start() for one in named[1:]), len(source)]
    return [
        (one[1], one[2], tuple(dict.fromkeys(re.findall(r'"(\w+)":', source[one.end() : end]))))
        for one, end in zip(named, ends, strict=True)
    ]


def page(language: str) -> str:
    title, *head, about, others = _WORDS[language]
    rows = (
        (code(name), code(*labels), _ZH.get(words, words) if language == "zh" else words)
        for name, words, labels in families()
    )
    return "\n".join([f"# {title}\n", about + "\n", table(head, rows), others + "\n"])


def untranslated() -> list[str]:
    return [words for _, words, _ in families() if words not in _ZH]
