"""The revisions of a release that were good: each with its files, so that it can be put back as it was."""

import json
from pathlib import Path

from dsdeploy.adapters.files import write_whole
from dsdeploy.core.documents import from_document, to_document
from dsdeploy.core.errors import InstallError, RevisionUnreadable
from dsdeploy.core.layout import RELEASE_FILE, REVISIONS_FOLDER, RUN_FOLDER, SECRETS_FOLDER, SERVICE_FILE
from dsdeploy.core.texts import text
from dsdeploy.core.values import Release, RenderedFile, RenderedFiles, Revision

_KEPT = 10


def save_revision(release: Release, rendered: RenderedFiles) -> None:
    """Whole or not at all; the oldest beyond ten are forgotten. Raises InstallError."""
    folder = _folder(release)
    path = _path(release, release.revision)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, json.dumps(to_document(Revision(release, rendered)), indent=1, ensure_ascii=False))
        for number in revision_numbers(release)[:-_KEPT]:
            _path(release, number).unlink(missing_ok=True)
    except OSError as error:
        raise InstallError(text("not-writable", path=path, reason=error), hint=text("not-writable-hint")) from error


def revision_numbers(release: Release) -> tuple[int, ...]:
    """Those that can be put back, oldest first."""
    found = (one.stem for one in _folder(release).glob("*.json"))
    return tuple(sorted(int(one) for one in found if one.isdigit()))


def find_revision(release: Release, number: int | None = None) -> Revision | None:
    """That one, or the release's own; None where it was never good. Raises RevisionUnreadable."""
    path = _path(release, release.revision if number is None else number)
    try:
        return from_document(Revision, json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise RevisionUnreadable(
            text("unreadable", path=path, reason=error), hint=text("revision-unreadable-hint")
        ) from error


def revision_on_disk(release: Release) -> Revision:
    """The revision that `release` is, from its own folder: for one that was installed before revisions were kept.

    Raises RevisionUnreadable.
    """
    folder = Path(release.folder)
    try:
        files = tuple(
            RenderedFile(str(one.relative_to(folder)), one.read_text(encoding="utf-8"), one.stat().st_mode & 0o777)
            for one in sorted(folder.rglob("*")) if one.is_file() and _rendered(one.relative_to(folder))
        )  # fmt: skip
    except (OSError, ValueError) as error:
        message = text("unreadable", path=folder, reason=error)
        raise RevisionUnreadable(message, hint=text("revision-unreadable-hint")) from error
    return Revision(release, RenderedFiles(release.target, files))


def _rendered(path: Path) -> bool:
    """Whether a file of a release's folder was rendered: neither secret nor state nor log."""
    if path.parts[0] == RUN_FOLDER:
        return str(path) == SERVICE_FILE
    return path.parts[0] not in (SECRETS_FOLDER, REVISIONS_FOLDER, RELEASE_FILE)


def _folder(release: Release) -> Path:
    return Path(release.folder) / REVISIONS_FOLDER


def _path(release: Release, number: int) -> Path:
    return _folder(release) / f"{number}.json"
