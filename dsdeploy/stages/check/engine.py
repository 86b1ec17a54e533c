"""Is the engine up, and is it the one that was planned?"""

import re
from typing import Any

from dsdeploy.adapters.endpoint import QUICK
from dsdeploy.core.engine_log import read_facts
from dsdeploy.core.texts import text
from dsdeploy.stages.check.subject import Outcome, Subject, failed, passed, skipped, warned

# What engines print when something is lost for good, not when one request is refused. llama.cpp: ggml/src/ggml.c
# (GGML_ASSERT, ggml_abort), ggml/src/ggml-cuda/ggml-cuda.cu ("CUDA error"), src/llama-vocab.cpp (quality degraded for
# want of a pre-tokenizer); Python engines: an uncaught exception.
_BAD_WORDS = (
    "GGML_ASSERT",
    "ggml_abort",
    "CUDA error",
    "out of memory",
    "failed to allocate",
    "GENERATION QUALITY WILL BE DEGRADED",
    "Segmentation fault",
    "Traceback (most recent call last)",
)
_UNNAMED = ("b0-unknown",)  # a build of llama.cpp that was made outside its repository
_KV_BAND = 0.1  # of the predicted cache; tests/truth holds the sizing within it


def runs(subject: Subject) -> Outcome:
    service = subject.service
    if service.state in ("running", "starting"):
        if service.restarts:
            message = text("check-engine-restarted", count=service.restarts)
            return warned(message, text("check-engine-restarted-hint"), measured=str(service.restarts), limit="0")
        return passed(text("check-engine-runs"))
    tail = "\n".join(service.log_tail[-3:]) or "-"
    return failed(text("check-engine-down", state=service.state, log=tail), text("check-engine-down-hint"))


def healthy(subject: Subject) -> Outcome:
    answer = subject.endpoint.ask("/health", waits=QUICK)
    if answer.status == 200:
        return passed(text("check-healthy"), measured="200", limit="200")
    message = text("check-unhealthy", status=answer.status)
    return failed(message, text("check-unhealthy-hint"), measured=str(answer.status), limit="200")


def right_model(subject: Subject) -> Outcome:
    served = [str(one.get("id")) for one in _models(subject)]
    wanted = subject.release.model_id
    if wanted in served:
        return passed(text("check-right-model"), measured=wanted, limit=wanted)
    names = ", ".join(served) or "-"
    return failed(text("check-wrong-model"), text("check-wrong-model-hint"), measured=names, limit=wanted)


def context(subject: Subject) -> Outcome:
    """llama.cpp tells one user's context as `meta.n_ctx`, vLLM and SGLang as `max_model_len`."""
    wanted = subject.release.context_tokens
    told = [_context_of(one) for one in _models(subject)]
    found = next((one for one in told if isinstance(one, int)), None)
    if found is None:
        return skipped(text("check-context-untold"))
    measured, limit = f"{found:,} tokens", f"≥ {wanted:,} tokens"
    if found >= wanted:
        return passed(text("check-context"), measured=measured, limit=limit)
    return failed(text("check-context-small"), text("check-context-small-hint"), measured=measured, limit=limit)


def version(subject: Subject) -> Outcome:
    """What the engine's log says, else its own path for it, which a gateway may close."""
    if subject.plan is None:
        return skipped(text("check-no-plan"))
    told = read_facts(subject.log).version or _asked_version(subject)
    wanted = subject.plan.deployment.engine_version
    if told is None or told in _UNNAMED:
        return skipped(text("check-version-untold"))
    measured, limit = told, wanted
    if _number(told) == _number(wanted):
        return passed(text("check-version"), measured=measured, limit=limit)
    return warned(text("check-version-other"), text("check-version-other-hint"), measured=measured, limit=limit)


def flags(subject: Subject) -> Outcome:
    """The plan's own arguments, in the plan's order, among the words that the running engine was started with."""
    if subject.plan is None or not subject.workloads:
        return skipped(text("check-engine-unseen"))
    planned, running = subject.plan.engine_arguments, subject.workloads[0].argv
    if not running:
        return skipped(text("check-engine-unseen"))
    if _holds(running, planned):
        return passed(text("check-flags"), measured=f"{len(planned)} / {len(planned)}", limit=str(len(planned)))
    lost = [word for word in planned if word not in running] or list(planned)
    message = text("check-flags-other", lost=" ".join(lost)[:300])
    measured = f"{len(planned) - len(lost)} / {len(planned)}"
    return failed(message, text("check-flags-other-hint"), measured=measured, limit=str(len(planned)))


def kv_cache(subject: Subject) -> Outcome:
    """As the engine logged it, against what the plan counts on: the predicted tokens, or all users' contexts."""
    plan = subject.plan
    if plan is None:
        return skipped(text("check-no-plan"))
    found = read_facts(subject.log).kv_cache_tokens
    if found is None:
        return skipped(text("check-kv-untold"))
    memory = plan.device_memory
    wanted = memory.needed_tokens if memory else plan.deployment.max_num_seqs * plan.context_tokens
    measured = f"{found:,} tokens"
    if memory:
        measured += f" (predicted {memory.kv_cache_tokens:,})"
    limit = f"≥ {wanted:,} tokens"
    if found < wanted:
        return failed(text("check-kv-small"), text("check-kv-small-hint"), measured=measured, limit=limit)
    if memory and found < memory.kv_cache_tokens * (1 - _KV_BAND):
        return warned(text("check-kv-off"), text("check-kv-small-hint"), measured=measured, limit=limit)
    return passed(text("check-kv"), measured=measured, limit=limit)


def log_clean(subject: Subject) -> Outcome:
    lines = subject.log
    if not lines:
        return skipped(text("check-log-empty"))
    bad = [line for line in lines if any(word in line for word in _BAD_WORDS)]
    measured = f"{len(bad)} / {len(lines)}"
    if bad:
        message = text("check-log-bad", line=bad[-1].strip()[:300])
        return warned(message, text("check-log-bad-hint"), measured=measured, limit="0")
    return passed(text("check-log-clean"), measured=measured, limit="0")


def _asked_version(subject: Subject) -> str | None:
    answer = subject.endpoint.ask("/version", subject.key, waits=QUICK)
    told = answer.document().get("version") if answer.status == 200 else None
    return told if isinstance(told, str) else None


def _context_of(model: dict[str, Any]) -> object:
    meta = model.get("meta")
    return (meta.get("n_ctx") if isinstance(meta, dict) else None) or model.get("max_model_len")


def _number(version: str) -> str:
    """llama.cpp says b1234-abcdef, others 0.9.1 or v0.9.1+cu128: what names the release alone."""
    return re.split(r"[-+ ]", version.removeprefix("v").removeprefix("b"))[0]


def _holds(words: tuple[str, ...], part: tuple[str, ...]) -> bool:
    """Whether each of `part` stands in `words`, in its order."""
    rest = iter(words)
    return all(any(word == one for one in rest) for word in part)


def _models(subject: Subject) -> list[dict[str, Any]]:
    served = subject.endpoint.ask("/v1/models", subject.key, waits=QUICK).document().get("data")
    return [one for one in served if isinstance(one, dict)] if isinstance(served, list) else []
