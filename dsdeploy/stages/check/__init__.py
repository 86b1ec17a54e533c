"""Examines a release and says what was found: every check runs, none stops another."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

import dsdeploy
from dsdeploy.adapters.chat import Chat
from dsdeploy.adapters.endpoint import Endpoint, endpoint_of
from dsdeploy.adapters.inventory import Host
from dsdeploy.adapters.targets.base import Target
from dsdeploy.core.checks import GROUPS, CheckFacts, check_facts, group_of
from dsdeploy.core.errors import DsdeployError, NothingToCheck, UnknownCheck
from dsdeploy.core.findings import BROKE
from dsdeploy.core.layout import KEYS_FILE
from dsdeploy.core.progress import Progress
from dsdeploy.core.texts import text
from dsdeploy.core.values import Checked, Finding, Plan, Release, RenderedFiles
from dsdeploy.stages.check import (
    confinement,
    engine,
    host,
    inference,
    integrity,
    network,
    quality,
    records,
    resilience,
    security,
    speed,
    tls,
)
from dsdeploy.stages.check.loads import Loads
from dsdeploy.stages.check.subject import Check, Outcome, Subject, failed, passed


def key_readable(subject: Subject) -> Outcome:
    if subject.key:
        return passed(text("check-key-readable"))
    return failed(text("check-key-missing", path=subject.keys_file), text("check-keys-unreadable-hint"))


_UP = ("engine-runs",)
_OPEN = ("engine-healthy", "api-key-readable")
_SERVES = (*_OPEN, "right-model-served")
_CHATS = (*_SERVES, "chat-answers")
_STREAMS = (*_CHATS, "chat-streams")
_LONG_S, _HOURS_S = 1800, 6 * 3600
CHECKS = (
    Check("engine-runs", engine.runs),
    Check("engine-healthy", engine.healthy),
    Check("api-key-readable", key_readable),
    Check("right-model-served", engine.right_model, _OPEN),
    Check("context-as-planned", engine.context, _OPEN),
    Check("engine-version-as-planned", engine.version, (*_UP, "engine-healthy")),
    Check("flags-as-planned", engine.flags, _UP),
    Check("kv-cache-as-predicted", engine.kv_cache, ("context-as-planned",)),
    Check("engine-log-clean", engine.log_clean),
    Check("chat-answers", inference.answers, _SERVES),
    Check("chat-streams", inference.streams, _CHATS),
    Check("chinese-answers", inference.answers_chinese, _CHATS),
    Check("long-context-read", inference.reads_long, (*_CHATS, "context-as-planned"), _LONG_S),
    Check("reasoning-parsed", inference.parses_reasoning, _CHATS),
    Check("tool-call-works", inference.calls_tools, _CHATS),
    Check("json-schema-kept", inference.keeps_schema, (*_CHATS, "reasoning-parsed")),
    Check("json-mode-kept", inference.keeps_json, (*_CHATS, "reasoning-parsed")),
    Check("answers-repeatable", inference.repeats_itself, _CHATS),
    Check("stop-word-honoured", inference.stops, (*_CHATS, "answers-repeatable")),
    Check("over-long-input-refused", inference.refuses_too_long, _CHATS),
    Check("known-answers-right", quality.right_answers, _CHATS, _LONG_S),
    Check("no-endless-repetition", quality.no_repetition, _CHATS, _LONG_S),
    Check("language-kept", quality.language_kept, _CHATS, _LONG_S),
    Check("first-token-in-time", speed.first_token, _STREAMS, _LONG_S),
    Check("tokens-per-second", speed.token_rate, (*_STREAMS, "first-token-in-time"), _LONG_S),
    Check("concurrent-users-served", speed.users_served, _STREAMS, _LONG_S),
    Check("throughput-as-planned", speed.throughput, (*_STREAMS, "concurrent-users-served"), _LONG_S),
    Check("api-needs-key", security.needs_key, ("engine-healthy",)),
    Check("wrong-key-refused", security.refuses_wrong_key, ("engine-healthy", "api-needs-key")),
    Check("closed-paths", security.closed_paths, ("engine-healthy", "api-needs-key")),
    Check("listens-only-where-planned", security.listens_as_planned, _UP),
    Check("keys-file-private", security.keys_private),
    Check("secrets-private", security.secrets_private),
    Check("runs-without-root", confinement.without_root, _UP),
    Check("no-capabilities", confinement.without_capabilities, _UP),
    Check("no-new-privileges", confinement.no_new_privileges, _UP),
    Check("read-only-root", confinement.read_only_root, _UP),
    Check("telemetry-off", confinement.telemetry_off, (*_UP, "flags-as-planned")),
    Check("connection-encrypted", tls.encrypted),
    Check("tls-modern", tls.modern, ("engine-healthy",)),
    Check("certificate-valid", tls.certificate_good),
    Check("requests-audited", records.requests_audited, (*_CHATS, "wrong-key-refused")),
    Check("prompts-unlogged", records.prompts_unlogged, _CHATS),
    Check("egress-closed", network.egress_closed, _UP),
    Check("nodes-near", network.nodes_near, (), _LONG_S),
    Check("node-links-wide", network.links_wide, ("nodes-near",), _LONG_S),
    Check("node-mtu-whole", network.mtu_whole, ("nodes-near",), _LONG_S),
    Check("rdma-in-use", network.rdma_used),
    Check("weights-unchanged", integrity.weights_unchanged, (), _HOURS_S),
    Check("weights-signed", integrity.weights_signed),
    Check("plan-unchanged", integrity.plan_unchanged),
    Check("configuration-unchanged", integrity.configuration_unchanged),
    Check("configuration-as-planned", integrity.configuration_as_plan, ("plan-unchanged", "configuration-unchanged")),
    Check("plan-signed", integrity.plan_signed, ("plan-unchanged",)),
    Check("images-signed", integrity.images_signed, _UP),
    Check("images-as-rendered", integrity.images_as_rendered, (*_UP, "configuration-unchanged")),
    Check("accelerators-healthy", host.devices_healthy),
    Check("driver-fits-engine", host.driver_fits),
    Check("clocks-unthrottled", host.clocks_free),
    Check("links-as-wired", host.links_whole),
    Check("host-limits-wide", host.limits_wide),
    Check("kernel-limits-wide", host.kernel_wide),
    Check("disk-reads-fast", host.disk_fast),
    Check("disk-has-room", host.disk_free),
    Check("clock-kept", host.clock_kept),
    Check("randomness-ready", host.random_ready),
    Check("open-files-enough", host.files_enough, _UP),
    Check("memory-as-planned", host.memory_as_planned, _UP),
    Check("engine-not-swapped", host.not_swapped, _UP),
    Check("engine-returns", resilience.engine_returns, _CHATS, _HOURS_S, only_asked=True),
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which checks run, by id or group (none named in `only`: all that disturb nothing), `also` which more, and whose
    failure only warns. Raises UnknownCheck, and NothingToCheck where none would run."""

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    demote: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = [*(one.id for one in CHECKS), *GROUPS]
        for id in (*self.only, *self.skip, *self.demote, *self.also):
            if id not in known:
                near = get_close_matches(id, known) or get_close_matches(id, known, n=1, cutoff=0)
                hint = text("unknown-check-hint", near=", ".join(near))
                raise UnknownCheck(text("unknown-check", name=id), hint=hint)
        if not any(map(self.takes, CHECKS)):
            message = text("nothing-to-check", skipped=", ".join(self.skip))
            raise NothingToCheck(message, hint=text("nothing-to-check-hint"))

    def takes(self, check: Check) -> bool:
        return self.allows(check) and (self._asks(check) or not check.only_asked)

    def allows(self, check: Check) -> bool:
        """Whether it may run, be it only when asked for."""
        names = {check.id, group_of(check.id)}
        return not names & set(self.skip) and (not self.only or self._asks(check))

    def without(self, *ids: str) -> "Selection":
        """Leaves out these, too, unless nothing else was chosen."""
        try:
            return replace(self, skip=(*self.skip, *ids))
        except NothingToCheck:
            return self

    def _asks(self, check: Check) -> bool:
        return bool({check.id, group_of(check.id)} & {*self.only, *self.also})

    def demotes(self, finding: Finding) -> bool:
        return finding.id != BROKE and bool({finding.id, group_of(finding.id)} & set(self.demote))


@dataclass(frozen=True, slots=True)
class ListedCheck(CheckFacts):
    """A check as it is told, not run: its facts, and what of Check a user chooses by."""

    needs: tuple[str, ...]
    only_asked: bool


def list_checks(selection: Selection) -> tuple[ListedCheck, ...]:
    """Those that `selection` allows, in the order of reports."""
    by_id = {one.id: one for one in CHECKS if selection.allows(one)}
    return tuple(
        ListedCheck(**asdict(facts), needs=by_id[id].needs, only_asked=by_id[id].only_asked)
        for id, facts in check_facts().items()
        if id in by_id
    )


def check_release(
    release: Release,
    plan: Plan | None,
    target: Target,
    selection: Selection,
    progress: Progress,
    *,
    hosts: tuple[Host, ...] = (),
    render: Callable[[], RenderedFiles] | None = None,
) -> Checked:
    """Runs the selected checks in order; with `hosts`, also those that put a load on the network between them.

    Only a checker's own fault is an exception's matter, and that is a finding.
    """
    began = time.monotonic()
    checked_at = datetime.now(UTC).isoformat(timespec="seconds")
    key = _read_key(release)
    with _way_to(release, target) as endpoint:
        chat = Chat(endpoint, release.model_id, key)
        shape = speed.shape_of(plan)
        loads = Loads(chat, shape, speed.waits_of(plan, shape))
        subject = Subject(release, plan, key, target, endpoint, chat, loads, progress, hosts, render)
        findings = run_checks(CHECKS, subject, selection)
    return Checked(
        release,
        verdict(findings),
        findings,
        tuple(loads.measured.values()),
        checked_at,
        round(time.monotonic() - began, 3),
        dsdeploy.__version__,
        plan.speed if plan else None,
        plan.request.industry if plan else "general",
    )


@contextmanager
def _way_to(release: Release, target: Target) -> Iterator[Endpoint]:
    """Where there is none, only what asks the service fails, saying why: all else is examined still."""
    with ExitStack() as ways:
        try:
            endpoint = endpoint_of(ways.enter_context(target.reach(release)))
        except DsdeployError as error:
            endpoint = Endpoint(release.host, release.port, away=error)
        yield endpoint


def run_checks(checks: tuple[Check, ...], subject: Subject, selection: Selection) -> tuple[Finding, ...]:
    findings: list[Finding] = []
    lost: set[str] = set()
    for check in (one for one in checks if selection.takes(one)):
        blocking = next((id for id in check.needs if id in lost), None)
        finding = _blocked(check, blocking) if blocking else _run(check, subject)
        if blocking or finding.status == "fail":
            lost.add(check.id)
        findings.append(_demoted(finding) if selection.demotes(finding) else finding)
    return tuple(findings)


def verdict(findings: tuple[Finding, ...]) -> str:
    """fail before warn before pass. Where nothing passed nothing is proven, and that is a warning."""
    statuses = {one.status for one in findings}
    if "fail" in statuses:
        return "fail"
    return "pass" if "pass" in statuses and "warn" not in statuses else "warn"


def _run(check: Check, subject: Subject) -> Finding:
    began = time.monotonic()
    finding = _found(check, subject)
    return replace(finding, took_s=round(time.monotonic() - began, 3))


def _found(check: Check, subject: Subject) -> Finding:
    subject.progress.begin(text("checking", check=check.id))
    try:
        outcome = _within(check, subject)
    except DsdeployError as error:
        outcome = failed(error.message, error.hint)
    except Exception as error:
        message = text("check-broke", check=check.id, error=f"{type(error).__name__}: {error}")
        return Finding(BROKE, "fail", message, text("check-broke-hint"))
    finally:
        subject.progress.end()
    return Finding(check.id, outcome.status, outcome.message, outcome.hint, outcome.measured, outcome.limit)


def _within(check: Check, subject: Subject) -> Outcome:
    """In a thread of its own, which is left behind when it hangs: a dead disk or a deaf daemon stops no other check."""
    said: list[Outcome | BaseException] = []

    def work() -> None:
        try:
            said.append(check.run(subject))
        except BaseException as error:
            said.append(error)

    thread = threading.Thread(target=work, name=check.id, daemon=True)
    thread.start()
    thread.join(check.within_s)
    if not said:
        message = text("check-hangs", check=check.id, seconds=f"{check.within_s:g}")
        return failed(
            message, text("check-hangs-hint"), measured=f"> {check.within_s:g} s", limit=f"{check.within_s:g} s"
        )
    if isinstance(said[0], BaseException):
        raise said[0]
    return said[0]


def _blocked(check: Check, blocking: str) -> Finding:
    return Finding(check.id, "skip", text("check-blocked", check=blocking))


def _demoted(finding: Finding) -> Finding:
    if finding.status != "fail":
        return finding
    return replace(finding, status="warn")


def _read_key(release: Release) -> str | None:
    """The first key of the release's file; None where it is missing, empty or not to be read by this user."""
    try:
        words = (Path(release.folder) / KEYS_FILE).read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return None
    return words[0] if words else None
