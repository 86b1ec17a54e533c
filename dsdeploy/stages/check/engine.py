"""Is the engine up, and is it the one that was planned?"""

from typing import Any

from dsdeploy.adapters.endpoint import QUICK
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
_LOG_BYTES = 256 * 1024


def runs(subject: Subject) -> Outcome:
    service = subject.observe()
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
    told = [(one.get("meta") or {}).get("n_ctx") or one.get("max_model_len") for one in _models(subject)]
    found = next((one for one in told if isinstance(one, int)), None)
    if found is None:
        return skipped(text("check-context-untold"))
    measured, limit = f"{found:,} tokens", f"≥ {wanted:,} tokens"
    if found >= wanted:
        return passed(text("check-context"), measured=measured, limit=limit)
    return failed(text("check-context-small"), text("check-context-small-hint"), measured=measured, limit=limit)


def log_clean(subject: Subject) -> Outcome:
    try:
        with subject.engine_log.open("rb") as log:
            log.seek(max(0, subject.engine_log.stat().st_size - _LOG_BYTES))
            lines = log.read(_LOG_BYTES).decode(errors="replace").splitlines()
    except OSError:
        lines = list(subject.observe().log_tail)
    if not lines:
        return skipped(text("check-log-empty"))
    bad = [line for line in lines if any(word in line for word in _BAD_WORDS)]
    measured = f"{len(bad)} / {len(lines)}"
    if bad:
        message = text("check-log-bad", line=bad[-1].strip()[:300])
        return warned(message, text("check-log-bad-hint"), measured=measured, limit="0")
    return passed(text("check-log-clean"), measured=measured, limit="0")


def _models(subject: Subject) -> list[dict[str, Any]]:
    served = subject.endpoint.ask("/v1/models", subject.key, waits=QUICK).document().get("data")
    return [one for one in served if isinstance(one, dict)] if isinstance(served, list) else []
