"""Examines a release and says what was found: every check runs, none stops another."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

import dsdeploy
from dsdeploy.adapters.chat import Chat
from dsdeploy.adapters.endpoint import endpoint_of
from dsdeploy.adapters.targets.base import Target
from dsdeploy.core.errors import DsdeployError, UnknownCheck
from dsdeploy.core.layout import KEYS_FILE
from dsdeploy.core.progress import Progress
from dsdeploy.core.texts import text
from dsdeploy.core.values import Checked, Finding, Plan, Release
from dsdeploy.stages.check import engine, host, inference, integrity, security, speed
from dsdeploy.stages.check.subject import Check, Loads, Outcome, Subject, failed, passed

BROKE = "check-broke"


def key_readable(subject: Subject) -> Outcome:
    if subject.key:
        return passed(text("check-key-readable"))
    return failed(text("check-key-missing", path=subject.keys_file), text("check-keys-unreadable-hint"))


_UP = ("engine-runs",)
_OPEN = ("engine-healthy", "api-key-readable")
_SERVES = (*_OPEN, "right-model-served")
CHECKS = (
    Check("engine-runs", engine.runs),
    Check("engine-healthy", engine.healthy),
    Check("api-key-readable", key_readable),
    Check("right-model-served", engine.right_model, _OPEN),
    Check("context-as-planned", engine.context, _OPEN),
    Check("engine-log-clean", engine.log_clean),
    Check("chat-answers", inference.answers, _SERVES),
    Check("chat-streams", inference.streams, _SERVES),
    Check("chinese-answers", inference.answers_chinese, (*_SERVES, "chat-answers")),
    Check("over-long-input-refused", inference.refuses_too_long, _SERVES),
    Check("first-token-in-time", speed.first_token, (*_SERVES, "chat-streams")),
    Check("tokens-per-second", speed.token_rate, (*_SERVES, "chat-streams", "first-token-in-time")),
    Check("concurrent-users-served", speed.users_served, (*_SERVES, "chat-streams")),
    Check("api-needs-key", security.needs_key, ("engine-healthy",)),
    Check("wrong-key-refused", security.refuses_wrong_key, ("engine-healthy", "api-needs-key")),
    Check("closed-paths", security.closed_paths, ("engine-healthy", "api-needs-key")),
    Check("listens-only-where-planned", security.listens_as_planned, _UP),
    Check("keys-file-private", security.keys_private),
    Check("runs-without-root", security.without_root, _UP),
    Check("weights-unchanged", integrity.weights_unchanged),
    Check("plan-unchanged", integrity.plan_unchanged),
    Check("memory-as-planned", host.memory_as_planned, _UP),
    Check("engine-not-swapped", host.not_swapped, _UP),
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which checks run, by id (none named in `only`: all), and whose failure only warns. Raises UnknownCheck."""

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    demote: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = [one.id for one in CHECKS]
        for id in (*self.only, *self.skip, *self.demote):
            if id not in known:
                near = get_close_matches(id, known, n=1, cutoff=0) or known[:1]
                hint = text("unknown-check-hint", near=near[0], known=", ".join(known))
                raise UnknownCheck(text("unknown-check", name=id), hint=hint)

    def takes(self, check: Check) -> bool:
        return check.id not in self.skip and (not self.only or check.id in self.only)


def check_release(
    release: Release, plan: Plan | None, target: Target, selection: Selection, progress: Progress
) -> Checked:
    """Runs the selected checks in order. Only a checker's own fault is an exception's matter, and that is a finding."""
    began = time.monotonic()
    checked_at = datetime.now(UTC).isoformat(timespec="seconds")
    endpoint = endpoint_of(release)
    key = _read_key(release)
    loads = Loads(Chat(endpoint, release.model_id, key))
    subject = Subject(release, plan, key, target, endpoint, loads, progress)
    findings = run_checks(CHECKS, subject, selection)
    return Checked(
        release,
        verdict(findings),
        findings,
        tuple(loads.measured.values()),
        checked_at,
        round(time.monotonic() - began, 3),
        dsdeploy.__version__,
    )


def run_checks(checks: tuple[Check, ...], subject: Subject, selection: Selection) -> tuple[Finding, ...]:
    findings: list[Finding] = []
    lost: set[str] = set()
    for check in (one for one in checks if selection.takes(one)):
        blocking = next((id for id in check.needs if id in lost), None)
        finding = _blocked(check, blocking) if blocking else _run(check, subject)
        if blocking or finding.status == "fail":
            lost.add(check.id)
        findings.append(_demoted(finding) if finding.id in selection.demote else finding)
    return tuple(findings)


def verdict(findings: tuple[Finding, ...]) -> str:
    """fail before warn before pass. Where nothing passed nothing is proven, and that is a warning."""
    statuses = {one.status for one in findings}
    if "fail" in statuses:
        return "fail"
    return "pass" if "pass" in statuses and "warn" not in statuses else "warn"


def _run(check: Check, subject: Subject) -> Finding:
    subject.progress.begin(text("checking", check=check.id))
    try:
        outcome = check.run(subject)
    except DsdeployError as error:
        outcome = failed(error.message, error.hint)
    except Exception as error:
        message = text("check-broke", check=check.id, error=f"{type(error).__name__}: {error}")
        return Finding(BROKE, "fail", message, text("check-broke-hint"))
    finally:
        subject.progress.end()
    return Finding(check.id, outcome.status, outcome.message, outcome.hint, outcome.measured, outcome.limit)


def _blocked(check: Check, blocking: str) -> Finding:
    return Finding(check.id, "skip", text("check-blocked", check=blocking))


def _demoted(finding: Finding) -> Finding:
    if finding.status != "fail":
        return finding
    return Finding(finding.id, "warn", finding.message, finding.hint, finding.measured, finding.limit)


def _read_key(release: Release) -> str | None:
    """The first key of the release's file; None where it is missing, empty or not to be read by this user."""
    try:
        words = (Path(release.folder) / KEYS_FILE).read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return None
    return words[0] if words else None
