"""Puts a rendered release in place and takes it away again: what is to be done is compared, shown, then applied."""

import hashlib
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import psutil

from dsdeploy.adapters import releases, revisions
from dsdeploy.adapters.gateway import certificate
from dsdeploy.adapters.targets.base import Target
from dsdeploy.core.errors import CertificateUnusable, InstallError, PreflightFailed, UpgradeBegun
from dsdeploy.core.layout import Layout
from dsdeploy.core.progress import Progress
from dsdeploy.core.sizes import size_words
from dsdeploy.core.texts import text
from dsdeploy.core.values import Finding, Operation, Plan, Release, RenderedFiles, WeightFile, Weights


def awaited_weights(plan: Plan, layout: Layout) -> Weights:
    """Stands for weights that are not here yet, so that an install can be shown before anything is fetched."""
    file = WeightFile(plan.weights_pattern, plan.weights_bytes, "")
    folder = str(layout.weights(plan.model_id, plan.format))
    return Weights(plan.model_id, plan.format, plan.weights_origin, plan.weights_revision, folder, (file,))


def desired_release(plan: Plan, plan_text: str, weights: Weights, layout: Layout, name: str) -> Release:
    """The release that `plan` asks for; the installed one itself where nothing but its state would differ."""
    previous = releases.find_release(layout, name)
    wanted = Release(
        name=name,
        target=plan.target,
        model_id=plan.model_id,
        format=plan.format,
        context_tokens=plan.context_tokens,
        users=plan.users,
        host=plan.host,
        port=plan.port,
        plan_sha256=hashlib.sha256(plan_text.encode()).hexdigest(),
        folder=str(layout.release(name)),
        weights=weights,
        revision=1,
        state="installing",
        installed_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    last = max((previous.revision if previous else 0, *revisions.revision_numbers(wanted)))
    wanted = replace(wanted, revision=last + 1)
    if previous is None:
        return wanted
    same = replace(
        wanted, revision=previous.revision, state=previous.state, installed_at=previous.installed_at,
        good_revision=previous.good_revision,
    )  # fmt: skip
    return previous if same == previous else wanted


def judge_state(release: Release) -> None:
    """Raises UpgradeBegun where an upgrade or rollback was begun and not finished: only these know the way on."""
    if release.state in ("upgrading", "rolling-back"):
        message = text("upgrade-begun", name=release.name, state=release.state)
        raise UpgradeBegun(message, hint=text("upgrade-begun-hint"))


def preflight(plan: Plan, release: Release, target: Target) -> tuple[Finding, ...]:
    """What would stop this release here. Raises PreflightFailed when something would; changes nothing."""
    here = () if release.target == "kubernetes" else (_memory_enough(plan, release, target), _door(release))
    return _passed((*target.preflight(release), *here))


def rehearse(release: Release, rendered: RenderedFiles, target: Target) -> tuple[Finding, ...]:
    """What the target says of these files. Raises PreflightFailed when they could not be put in place."""
    return _passed(target.rehearse(release, rendered))


def _passed(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    failed = [one for one in findings if one.status == "fail"]
    if failed:
        raise PreflightFailed(failed[0].message, hint=failed[0].hint or text("preflight-hint"))
    return findings


def certificate_operations(release: Release, given: certificate.Given | None) -> tuple[Operation, ...]:
    """Raises CertificateUnusable and its kinds, SecretsOpen: before anything is changed."""
    if given is not None and release.target == "process":
        raise CertificateUnusable(text("certificate-no-gateway"), hint=text("certificate-no-gateway-hint"))
    if given is None or certificate.taken(release, given):
        return ()
    return (Operation("use-certificate", {"path": str(given.certificate)}),)


def take_certificate(release: Release, given: certificate.Given) -> None:
    """Raises as `certificate_operations`, and InstallError where it cannot be written."""
    try:
        certificate.take(release, given)
    except OSError as error:
        message = text("not-writable", path=error.filename or release.folder, reason=error)
        raise InstallError(message, hint=text("not-writable-hint")) from error


def apply(release: Release, rendered: RenderedFiles, target: Target, progress: Progress) -> Release:
    """Does what is pending, from any state a killed run may have left. Raises an InstallError."""
    releases.save_release(replace(release, state="installing"))
    for operation in target.pending(release, rendered):
        progress.begin(operation.text)
        target.apply(operation, release, rendered)
        progress.end()
    done = replace(release, state="installed", good_revision=None)
    revisions.save_revision(done, rendered)
    releases.save_release(done)
    return done


def remove(release: Release, operations: tuple[Operation, ...], target: Target, progress: Progress) -> None:
    """Stops the service, then deletes its folder; weights stay."""
    with suppress(InstallError):  # on a full disk nothing is noted: removing is what makes room
        releases.save_release(replace(release, state="uninstalling"))
    for operation in operations:
        progress.begin(operation.text)
        target.apply(operation, release, RenderedFiles(release.target, ()))
        progress.end()


def _memory_enough(plan: Plan, release: Release, target: Target) -> Finding:
    if target.observe(release).state in ("running", "starting"):
        return Finding("memory-enough", "skip", text("memory-in-use-by-us"))
    available = int(psutil.virtual_memory().available)
    needed = plan.memory.needed_bytes
    limit, measured = size_words(needed), size_words(available)
    if available < needed:
        message = text("memory-too-small", needed=limit, available=measured)
        return Finding("memory-enough", "fail", message, text("memory-too-small-hint"), measured, limit)
    return Finding("memory-enough", "pass", text("memory-is-enough"), None, measured, limit)


def _door(release: Release) -> Finding:
    if release.host in ("127.0.0.1", "::1", "localhost"):
        return Finding("listens-on-loopback", "pass", text("door-is-local", host=release.host))
    return Finding("listens-on-loopback", "warn", text("door-is-open", host=release.host), text("door-is-open-hint"))
