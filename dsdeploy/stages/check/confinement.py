"""Does everything that serves hold as few rights as it can? Judged by what really runs, not by what was asked for."""

import ipaddress
import os
from collections.abc import Callable
from dataclasses import replace

import psutil

from dsdeploy.core.texts import Text, text
from dsdeploy.core.values import Workload
from dsdeploy.stages.check.subject import Outcome, Subject, failed, passed, skipped, warned

# Switches against usage reports and model hubs: vLLM docs, usage_stats.md and configuration/env_vars.md;
# huggingface_hub docs, package_reference/environment_variables.md; llama.cpp tools/server/README.md (--offline).
_QUIET = {
    "vllm": (("VLLM_NO_USAGE_STATS", "DO_NOT_TRACK"), ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")),
    "sglang": (("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),),
}


def without_root(subject: Subject) -> Outcome:
    """Root is a warning for a process that root itself started, since then nobody asked for less."""
    if not _known(subject, lambda one: one.uids):
        return skipped(text("check-engine-unseen"))
    uids = {uid for one in subject.workloads for uid in one.uids}
    measured, limit = ", ".join(f"uid {uid}" for uid in sorted(uids)), "uid ≠ 0"
    if 0 not in uids:
        return passed(text("check-no-root"), measured=measured, limit=limit)
    return _judge(subject)(text("check-root"), text("check-root-hint"), measured=measured, limit=limit)


def without_capabilities(subject: Subject) -> Outcome:
    """A root process holds all of them; that is one fault, and `runs-without-root` names it."""
    if not _known(subject, lambda one: one.capabilities is not None):
        return skipped(text("check-engine-unseen"))
    if any(0 in one.uids for one in subject.workloads) and subject.release.target == "process":
        return skipped(text("check-capabilities-root"))
    held = {f"{one.name}: {', '.join(one.capabilities)}" for one in subject.workloads if one.capabilities}
    if held:
        message = text("check-capabilities", held="; ".join(sorted(held))[:300])
        return failed(message, text("check-confinement-hint"), measured=str(len(held)), limit="0")
    return passed(text("check-no-capabilities"), measured="0", limit="0")


def no_new_privileges(subject: Subject) -> Outcome:
    return _all(subject, lambda one: one.no_new_privileges, text("check-privileges-kept"), "check-privileges-open")


def read_only_root(subject: Subject) -> Outcome:
    if subject.release.target == "process":
        return skipped(text("check-no-container"))
    found = _all(subject, lambda one: one.read_only_root, text("check-root-closed"), "check-root-writable")
    if found.status == "fail" and subject.release.target == "kubernetes":
        return replace(found, status="warn", hint=text("check-root-writable-pod-hint"))
    return found


def telemetry_off(subject: Subject) -> Outcome:
    """Its switches are set as its makers document them, and no connection leads to a public address."""
    if subject.plan is None or not subject.workloads:
        return skipped(text("check-engine-unseen"))
    engine = subject.workloads[0]
    told = engine.environment
    missing = [
        " / ".join(names)
        for names in _QUIET.get(subject.plan.engine, ())
        if told and not any(told.get(name, "0").lower() in ("1", "true", "yes", "on") for name in names)
    ]
    if subject.plan.engine == "llama.cpp" and engine.argv and "--offline" not in engine.argv:
        missing.append("--offline")
    if missing:
        message = text("check-telemetry-on", missing=", ".join(missing))
        return failed(message, text("check-telemetry-hint"), measured=str(len(missing)), limit="0")
    away = _connections_away(subject)
    if away:
        message = text("check-calls-out", places=", ".join(sorted(away))[:300])
        return failed(message, text("check-egress-hint"), measured=str(len(away)), limit="0")
    return passed(text("check-telemetry-off"), measured="0", limit="0")


def _connections_away(subject: Subject) -> set[str]:
    """Peers of the engine with public addresses."""
    engine = subject.engine_process
    try:
        peers = [one.raddr.ip for one in engine.net_connections("inet") if one.raddr] if engine else []
    except psutil.Error:
        peers = []
    return {one for one in peers if ipaddress.ip_address(one.partition("%")[0]).is_global}


def _all(subject: Subject, holds: Callable[[Workload], bool | None], good: Text, bad: str) -> Outcome:
    if not _known(subject, lambda one: holds(one) is not None):
        return skipped(text("check-engine-unseen"))
    open_ones = [one.name for one in subject.workloads if holds(one) is False]
    measured = f"{len(subject.workloads) - len(open_ones)} / {len(subject.workloads)}"
    limit = f"{len(subject.workloads)} / {len(subject.workloads)}"
    if open_ones:
        message = Text(bad, {"names": ", ".join(open_ones)})
        return failed(message, text("check-confinement-hint"), measured=measured, limit=limit)
    return passed(good, measured=measured, limit=limit)


def _known(subject: Subject, knows: Callable[[Workload], object]) -> bool:
    return bool(subject.workloads) and all(knows(one) for one in subject.workloads)


def _judge(subject: Subject) -> Callable[..., Outcome]:
    return warned if subject.release.target == "process" and os.getuid() == 0 else failed
