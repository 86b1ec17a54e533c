"""The metrics of `dsdeploy watch`."""

from dsdeploy.core.metrics import METRICS, STATUSES, VERDICTS
from scripts.reference.page import code, table

_CHINESE = {
    "dsdeploy_check_status": "检查当前的状态为 1，其余状态为 0。",
    "dsdeploy_check_verdict": "全部检查的结论为 1，其余为 0。",
    "dsdeploy_check_last_run_timestamp_seconds": "检查最近一次执行的时间。",
    "dsdeploy_check_duration_seconds": "该次执行的耗时。",
    "dsdeploy_release_info": "被检查的实例。",
    "dsdeploy_speed_first_token_seconds": "检查测得的首 token 时延中位数。",
    "dsdeploy_speed_output_tokens_per_second": "全部并发用户合计的每秒 token 数。",
}
_ALERTS = """```yaml
- alert: DsdeployCheckFails
  expr: dsdeploy_check_status{status="fail"} == 1
  for: 5m
- alert: DsdeployChecksStopped
  expr: time() - dsdeploy_check_last_run_timestamp_seconds > 600
```
"""


_OTHERS = {
    "en": "The engine's own metrics stay inside: under Compose they are on its closed network, under Kubernetes a ServiceMonitor "
    "reads them where `monitoring.serviceMonitor` is set ([values](values.md)), as it reads the gateway's. Their names are the "
    "engine's: `vllm:…`, `sglang:…`, `llamacpp:…`.\n",
    "zh": "引擎自身的指标留在内部：Compose 下位于其封闭网络，Kubernetes 下在设置 `monitoring.serviceMonitor`（[chart 的值](values.md)）后由 "
    "ServiceMonitor 读取，网关的指标同样如此。名称由引擎决定：`vllm:…`、`sglang:…`、`llamacpp:…`。\n",
}


def page(language: str) -> str:
    en = language == "en"
    about = (
        "`dsdeploy watch` runs the checks again and again and gives what they found in Prometheus' text format, version "
        "0.0.4: into a file for node_exporter (`--out`), or at `/metrics` of a port of this machine's loopback address "
        "(`--listen 127.0.0.1:9464`); no other address is taken. Speed is measured only where `--only` names a speed "
        "check. All are gauges, and all carry the label `release`.\n"
        if en
        else "`dsdeploy watch` 反复执行检查，并以 Prometheus 文本格式（0.0.4 版）给出结果：写入供 node_exporter 读取的文件（`--out`），"
        "或在本机回环地址端口的 `/metrics` 上提供（`--listen 127.0.0.1:9464`），不接受其他地址。仅当 `--only` 指定速度检查时才测量速度。"
        "全部为 gauge 类型，且都带有标签 `release`。\n"
    )
    labels = (
        f"`status` is one of {code(*STATUSES)}; `verdict` one of {code(*VERDICTS)}; `check` and `group` are those of the "
        "[checks](checks.md); `at_once` is how many users asked at once. Two alerts to begin with:\n"
        if en
        else f"`status` 取值 {code(*STATUSES)}；`verdict` 取值 {code(*VERDICTS)}；`check` 与 `group` 见[检查](checks.md)；"
        "`at_once` 为并发用户数。可从以下两条告警开始：\n"
    )
    head = ("Metric", "Labels", "What it is") if en else ("指标", "标签", "含义")
    rows = ((code(name), code(*keys), words if en else _CHINESE[name]) for name, (keys, words) in METRICS.items())
    return "\n".join(
        ["# " + ("Metrics" if en else "指标") + "\n", about, table(head, rows), labels, _ALERTS, _OTHERS[language]]
    )
