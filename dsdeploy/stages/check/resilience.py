"""Does the service come back by itself? Only when asked for by name: running answers are lost."""

import time

from dsdeploy.adapters.endpoint import QUICK
from dsdeploy.core.errors import NoAnswer
from dsdeploy.core.texts import text
from dsdeploy.stages.check.subject import COUNT, Outcome, Subject, failed, passed, skipped

_NOTICE_S = 60
_RETURN_S = 60
_LOAD_BYTES_PER_S = 100_000_000  # a slow disk, as for an install's own wait
_LOOK_S = 0.2


def engine_returns(subject: Subject) -> Outcome:
    """Kills the engine as a crash would, then waits until it answers a question again."""
    before = subject.target.observe(subject.release)
    if before.state != "running":
        return skipped(text("check-engine-unseen"))
    subject.target.crash(subject.release)
    began = time.monotonic()
    loading_s = sum(one.size_bytes for one in subject.release.weights.files) / _LOAD_BYTES_PER_S
    limit_s = _RETURN_S + loading_s
    limit = f"≤ {limit_s:,.0f} s"
    if not _gone(subject, before.engine_pid, before.restarts):
        return failed(text("check-not-killed"), text("check-not-killed-hint"), limit=limit)
    while time.monotonic() - began < limit_s:
        try:
            healthy = subject.endpoint.ask("/health", waits=QUICK).status == 200
            if healthy and subject.chat.complete(COUNT):
                measured = f"{time.monotonic() - began:,.1f} s"
                return passed(text("check-returned"), measured=measured, limit=limit)
        except NoAnswer:
            pass
        time.sleep(_LOOK_S)
    measured = f"> {limit_s:,.0f} s"
    return failed(text("check-not-returned"), text("check-not-returned-hint"), measured=measured, limit=limit)


def _gone(subject: Subject, pid: int | None, restarts: int) -> bool:
    """Whether the killed engine was seen to be gone or replaced, so that its last breath counts as no return."""
    end = time.monotonic() + _NOTICE_S
    while time.monotonic() < end:
        now = subject.target.observe(subject.release)
        if now.engine_pid != pid or now.restarts > restarts or now.state != "running":
            return True
        time.sleep(_LOOK_S)
    return False
