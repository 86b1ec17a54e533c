"""Are the files still those that were installed?"""

from pathlib import Path

from dsdeploy.adapters.digests import sha256_file
from dsdeploy.core.layout import PLAN_FILE
from dsdeploy.core.texts import text
from dsdeploy.stages.check.subject import Outcome, Subject, failed, passed


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
            message = text("check-weights-gone", name=one.name, reason=error.strerror or error)
            return failed(message, text("check-weights-hint"), limit=one.sha256)
        if found != one.sha256:
            message = text("check-weights-changed", name=one.name)
            return failed(message, text("check-weights-hint"), measured=found, limit=one.sha256)
    measured = f"{total:,} bytes"
    return passed(text("check-weights-unchanged"), measured=measured)


def plan_unchanged(subject: Subject) -> Outcome:
    path, limit = Path(subject.release.folder) / PLAN_FILE, subject.release.plan_sha256
    try:
        found = sha256_file(path)
    except OSError as error:
        message = text("check-plan-gone", path=path, reason=error.strerror or error)
        return failed(message, text("check-plan-hint"), limit=limit)
    if found != limit:
        return failed(text("check-plan-changed", path=path), text("check-plan-hint"), measured=found, limit=limit)
    return passed(text("check-plan-unchanged"), measured=found, limit=limit)
