"""Does this machine carry the engine as planned?"""

import psutil

from dsdeploy.core.texts import text
from dsdeploy.stages.check.subject import Outcome, Subject, failed, passed, skipped, warned


def memory_as_planned(subject: Subject) -> Outcome:
    """Resident memory, with mapped weights, against the whole budget of the plan."""
    engine = _engine(subject)
    if engine is None or subject.plan is None or subject.plan.device != "cpu":
        return skipped(text("check-engine-unseen"))
    used, planned = int(engine.memory_info().rss), subject.plan.memory.needed_bytes
    measured, limit = f"{used:,} bytes", f"≤ {planned:,} bytes"
    if used > planned:
        return failed(text("check-memory-over"), text("check-memory-over-hint"), measured=measured, limit=limit)
    return passed(text("check-memory"), measured=measured, limit=limit)


def not_swapped(subject: Subject) -> Outcome:
    engine = _engine(subject)
    try:
        swapped = None if engine is None else int(engine.memory_full_info().swap)
    except psutil.Error:
        swapped = None
    if swapped is None:
        return skipped(text("check-engine-unseen"))
    measured, limit = f"{swapped:,} bytes", "0 bytes"
    if swapped:
        return warned(text("check-swapped"), text("check-swapped-hint"), measured=measured, limit=limit)
    return passed(text("check-not-swapped"), measured=measured, limit=limit)


def _engine(subject: Subject) -> psutil.Process | None:
    pid = subject.observe().engine_pid
    try:
        return None if pid is None else psutil.Process(pid)
    except psutil.Error:
        return None
