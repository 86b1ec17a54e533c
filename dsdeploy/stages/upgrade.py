"""Puts a new revision in the place of a good one, and the good one back where the new one does not hold."""

from dataclasses import replace
from pathlib import Path

import psutil

from dsdeploy.adapters import releases, revisions
from dsdeploy.adapters.free_port import free_port
from dsdeploy.adapters.targets.base import Target
from dsdeploy.core.errors import InvalidRequest, NoSuchRevision, PreflightFailed, UpgradeRefused
from dsdeploy.core.layout import Layout
from dsdeploy.core.progress import Progress
from dsdeploy.core.sizes import size_words
from dsdeploy.core.texts import text
from dsdeploy.core.values import Operation, Plan, Release, RenderedFiles, Revision

MODES = ("auto", "beside", "in-place")
_SUFFIX = "-next"
_HERE = "127.0.0.1"


def good_revision(release: Release) -> Revision:
    """The one that an upgrade can always go back to. Raises NoSuchRevision, RevisionUnreadable."""
    known = revisions.revision_numbers(release)
    if not known and release.state == "installed":
        return revisions.revision_on_disk(release)
    number = release.good_revision or (release.revision if release.revision in known else max(known, default=None))
    found = None if number is None else revisions.find_revision(release, number)
    if found is not None:
        return found
    raise NoSuchRevision(text("no-good-revision", name=release.name), hint=text("no-good-revision-hint"))


def earlier_revision(release: Release, number: int | None) -> Revision:
    """Where a rollback goes: `number`; else where a begun one was going; else the good one before what runs.

    Raises NoSuchRevision, RevisionUnreadable.
    """
    known = revisions.revision_numbers(release)
    if number is None and release.state == "installed":
        number = max((one for one in known if one < release.revision), default=None)
    elif number is None:
        number = good_revision(release).release.revision
    found = None if number is None else revisions.find_revision(release, number)
    if found is None:
        hint = text("no-such-revision-hint", known=", ".join(map(str, known)) or "-")
        if number is None:
            message = text("no-earlier-revision", name=release.name, number=release.revision)
            raise NoSuchRevision(message, hint=hint)
        raise NoSuchRevision(text("no-such-revision", name=release.name, number=number), hint=hint)
    _judge_weights(found.release)
    return found


def choose_mode(asked: str, plan: Plan, now: Release, target: Target) -> str:
    """beside where a second service has room, else in-place. Raises InvalidRequest, UpgradeRefused."""
    if asked not in MODES:
        raise InvalidRequest(
            text("upgrade-bad-mode", mode=asked), hint=text("upgrade-bad-mode-hint", known=", ".join(MODES))
        )
    if plan.target != now.target:
        raise UpgradeRefused(
            text("upgrade-other-target", now=now.target, wanted=plan.target), hint=text("upgrade-other-target-hint")
        )
    room = target.has_room(plan)
    if asked == "beside" and not room:
        raise UpgradeRefused(text("upgrade-no-room"), hint=text("upgrade-no-room-hint"))
    if asked == "auto":
        return "beside" if room else "in-place"
    return asked


def judge_memory(plan: Plan, now: Release, target: Target) -> None:
    """What the running engine gives back counts as free. Raises PreflightFailed."""
    if plan.device != "cpu" or now.target == "kubernetes":
        return
    pid = target.observe(now).engine_pid
    try:
        held = int(psutil.Process(pid).memory_info().rss) if pid else 0
    except psutil.Error:
        held = 0
    available, needed = int(psutil.virtual_memory().available) + held, plan.memory.needed_bytes
    if available < needed:
        message = text("memory-too-small", needed=size_words(needed), available=size_words(available))
        raise PreflightFailed(message, hint=text("memory-too-small-hint"))


def candidate_of(release: Release, layout: Layout) -> Release:
    """The new revision as a release of its own beside the old one, on this machine's own address only."""
    name = release.name + _SUFFIX
    begun = releases.find_release(layout, name)
    if begun is not None and begun.state != "candidate":
        raise UpgradeRefused(text("upgrade-name-taken", name=name), hint=text("upgrade-name-taken-hint"))
    port = begun.port if begun else free_port(_HERE)
    folder = str(layout.release(name))
    return replace(release, name=name, folder=folder, host=_HERE, port=port, revision=1, state="candidate")


def left_candidate(release: Release, layout: Layout) -> Release | None:
    """What a killed upgrade may have left running beside."""
    found = releases.find_release(layout, release.name + _SUFFIX)
    return found if found is not None and found.state == "candidate" else None


def start_candidate(candidate: Release, rendered: RenderedFiles, target: Target, progress: Progress) -> None:
    """Raises an InstallError."""
    releases.save_release(candidate)
    _apply(target.pending(candidate, rendered), candidate, rendered, target, progress)


def remove_candidate(candidate: Release, target: Target, progress: Progress) -> None:
    _apply(target.removal(candidate), candidate, RenderedFiles(candidate.target, ()), target, progress)


def switch(release: Release, rendered: RenderedFiles, good: Revision, target: Target, progress: Progress) -> Release:
    """The new revision in the good one's place, not yet accepted. Raises an InstallError."""
    if good.release.revision not in revisions.revision_numbers(release):
        revisions.save_revision(good.release, good.rendered)
    tried = replace(release, state="upgrading", good_revision=good.release.revision)
    releases.save_release(tried)
    _apply(target.pending(tried, rendered), tried, rendered, target, progress)
    return tried


def accept(release: Release, rendered: RenderedFiles) -> Release:
    done = replace(release, state="installed", good_revision=None)
    revisions.save_revision(done, rendered)
    releases.save_release(done)
    return done


def put_back(revision: Revision, target: Target, progress: Progress) -> Release:
    """That revision as it was, not yet settled, from any state a killed run may have left. Raises an InstallError."""
    begun = replace(revision.release, state="rolling-back")
    releases.save_release(begun)
    _apply(target.pending(revision.release, revision.rendered), revision.release, revision.rendered, target, progress)
    return begun


def settle(begun: Release) -> Release:
    """A rollback is done when it was checked, too: killed before, it goes on and not one revision further back."""
    done = replace(begun, state="installed")
    releases.save_release(done)
    return done


def _apply(
    operations: tuple[Operation, ...], release: Release, rendered: RenderedFiles, target: Target, progress: Progress
) -> None:
    for operation in operations:
        progress.begin(operation.text)
        target.apply(operation, release, rendered)
        progress.end()


def _judge_weights(release: Release) -> None:
    """Raises NoSuchRevision where its weights were deleted since."""
    for one in release.weights.files:
        path = Path(release.weights.directory) / one.name
        if not path.is_file() or path.stat().st_size != one.size_bytes:
            message = text("revision-weights-gone", number=release.revision, path=path)
            raise NoSuchRevision(message, hint=text("revision-weights-gone-hint"))
