"""Are the files still those that were installed?"""

from collections.abc import Sized
from pathlib import Path

from dsdeploy.adapters.bundle import keys
from dsdeploy.adapters.bundle.site import Site, Version
from dsdeploy.adapters.digests import sha256_file
from dsdeploy.adapters.revisions import find_revision
from dsdeploy.core.bundle import names
from dsdeploy.core.bundle.deployed_images import lacking
from dsdeploy.core.bundle.signature import decode_envelope, subjects
from dsdeploy.core.bundle.values import Bundle
from dsdeploy.core.errors import DsdeployError
from dsdeploy.core.layout import PLAN_FILE, Layout
from dsdeploy.core.sizes import size_words
from dsdeploy.core.texts import text
from dsdeploy.stages.check.subject import Outcome, Subject, failed, passed, skipped, warned


def weights_unchanged(subject: Subject) -> Outcome:
    """Reads every byte of every file."""
    weights = subject.release.weights
    total = sum(one.size_bytes for one in weights.files)
    subject.progress.begin(text("check-hashing"), total)
    for one in weights.files:
        path = Path(weights.directory) / one.name
        try:
            found = sha256_file(path, subject.progress.advance)
        except OSError as error:
            message = text("check-weights-gone", name=one.name, reason=error)
            return failed(message, text("check-weights-hint"), limit=one.sha256)
        if found != one.sha256:
            message = text("check-weights-changed", name=one.name)
            return failed(message, text("check-weights-hint"), measured=found, limit=one.sha256)
    return passed(text("check-weights-unchanged"), measured=size_words(total))


def plan_unchanged(subject: Subject) -> Outcome:
    path, limit = Path(subject.release.folder) / PLAN_FILE, subject.release.plan_sha256
    try:
        found = sha256_file(path)
    except OSError as error:
        message = text("check-plan-gone", path=path, reason=error)
        return failed(message, text("check-plan-hint"), limit=limit)
    if found != limit:
        return failed(text("check-plan-changed", path=path), text("check-plan-hint"), measured=found, limit=limit)
    return passed(text("check-plan-unchanged"), measured=found, limit=limit)


def configuration_unchanged(subject: Subject) -> Outcome:
    """Each rendered file on disk against what this revision was installed with."""
    revision = find_revision(subject.release)
    if revision is None:
        return skipped(text("check-revision-untold"))
    folder = Path(subject.release.folder)
    files = [one for one in revision.rendered.files if one.path != PLAN_FILE]
    changed = [one.path for one in files if not _same(folder / one.path, one.content)]
    measured, limit = _counted(files, changed)
    if changed:
        message = text("check-configuration-changed", paths=", ".join(changed))
        return failed(message, text("check-configuration-hint"), measured=measured, limit=limit)
    return passed(text("check-configuration-unchanged"), measured=measured, limit=limit)


def configuration_as_plan(subject: Subject) -> Outcome:
    """Each file on disk against what the plan beside it stands for, made anew: a record beside the files may be edited
    with them, a signed plan may not. Another version of dsdeploy may render otherwise, so that this only warns."""
    if subject.render is None or subject.plan is None:
        return skipped(text("check-no-plan"))
    folder = Path(subject.release.folder)
    try:
        files = [one for one in subject.render().files if one.path != PLAN_FILE]
    except DsdeployError as error:
        return skipped(text("check-render-impossible", reason=error.message))
    other = [one.path for one in files if not _same(folder / one.path, one.content)]
    measured, limit = _counted(files, other)
    if other:
        message = text("check-configuration-not-plan", paths=", ".join(other)[:300])
        return warned(message, text("check-configuration-hint"), measured=measured, limit=limit)
    return passed(text("check-configuration-as-plan"), measured=measured, limit=limit)


def plan_signed(subject: Subject) -> Outcome:
    """The plan's digest stands in a loaded bundle whose root a key that this site trusts has signed."""
    bundles = _signed(subject)
    if bundles is None:
        return skipped(text("check-no-bundle"))
    known = [file.sha256 for one in bundles for file in one.files if file.path == names.PLAN]
    if not known:
        return skipped(text("check-no-bundled-plan"))
    measured, limit = subject.release.plan_sha256, known[-1]
    if measured in known:
        return passed(text("check-plan-signed"), measured=measured, limit=measured)
    return warned(text("check-plan-unsigned"), text("check-plan-unsigned-hint"), measured=measured, limit=limit)


def images_signed(subject: Subject) -> Outcome:
    """Each running container's image is one of a signed bundle, by its id or its reference."""
    images = tuple(dict.fromkeys(one.image for one in subject.workloads if one.image))
    if not images:
        return skipped(text("check-images-unseen"))
    bundles = _signed(subject)
    if bundles is None:
        return skipped(text("check-no-bundle"))
    foreign = lacking(images, tuple(image for one in bundles for image in one.images))
    measured, limit = _counted(images, foreign)
    if foreign:
        message = text("check-images-unsigned", images=", ".join(foreign)[:300])
        return warned(message, text("check-images-unsigned-hint"), measured=measured, limit=limit)
    return passed(text("check-images-signed"), measured=measured, limit=limit)


def images_as_rendered(subject: Subject) -> Outcome:
    """Every running container's image is one that the installed configuration names by digest."""
    revision = find_revision(subject.release)
    images = {one.name: one.image for one in subject.workloads if one.image}
    if revision is None or not images:
        return skipped(text("check-images-unseen"))
    rendered = "\n".join(one.content for one in revision.rendered.files)
    foreign = [f"{name}: {image}" for name, image in images.items() if image not in rendered]
    measured, limit = _counted(images, foreign)
    if foreign:
        message = text("check-images-foreign", images=", ".join(foreign))
        return failed(message, text("check-configuration-hint"), measured=measured, limit=limit)
    return passed(text("check-images-as-rendered"), measured=measured, limit=limit)


def weights_signed(subject: Subject) -> Outcome:
    """Each weight file's digest stands in a loaded bundle whose root a key that this site trusts has signed."""
    bundles = _signed(subject)
    if bundles is None:
        return skipped(text("check-no-bundle"))
    signed = {file.sha256 for one in bundles for file in one.files}
    files = subject.release.weights.files
    missing = [one.name for one in files if one.sha256 not in signed]
    measured, limit = _counted(files, missing)
    if missing:
        message = text("check-unsigned", names=", ".join(missing[:3]))
        return warned(message, text("check-unsigned-hint"), measured=measured, limit=limit)
    return passed(text("check-signed"), measured=measured, limit=limit)


def _signed(subject: Subject) -> tuple[Bundle, ...] | None:
    """The loaded bundles that a trusted key signed; None where this site has loaded none at all."""
    layout = Layout(Path(subject.release.folder).parents[1])
    versions = Site(layout).versions()
    if not versions:
        return None
    trusted = tuple(keys.load_public(path) for path in sorted((layout.home / names.TRUST).glob("*.pub")))
    return tuple(one.bundle for one in versions if _is_signed(one, trusted))


def _is_signed(version: Version, trusted: tuple[keys.PublicKey, ...]) -> bool:
    try:
        envelope = decode_envelope((version.folder / names.SIGNATURE).read_bytes())
        holds = subjects(envelope.payload).get(names.ROOT) == version.root_sha256
    except (OSError, ValueError):
        return False
    return holds and any(one.valid for one in keys.check(envelope, trusted))


def _same(path: Path, content: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == content
    except (OSError, ValueError):
        return False


def _counted(every: Sized, wrong: Sized) -> tuple[str, str]:
    """How many of how many are right, and that all should be."""
    return f"{len(every) - len(wrong)} / {len(every)}", f"{len(every)} / {len(every)}"
