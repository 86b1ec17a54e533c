"""Weights from a folder: a disc, a share, an earlier download."""

import re
from fnmatch import fnmatch
from pathlib import Path

from dsdeploy.adapters.digests import BLOCK_BYTES, sha256_file
from dsdeploy.adapters.hubs.base import Listing
from dsdeploy.core.errors import WeightsNotFound
from dsdeploy.core.progress import Progress
from dsdeploy.core.texts import text
from dsdeploy.core.values import WeightFile

SUMS_FILE = "SHA256SUMS"


class Directory:
    """Digests come from a `SHA256SUMS` in the folder; files that it does not name are hashed as they are found."""

    name = "directory"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def list_files(self, repo: str, revision: str | None, pattern: str) -> Listing:
        if not self.folder.is_dir():
            message = text("unreadable", path=self.folder, reason=text("not-a-folder"))
            raise WeightsNotFound(message, hint=text("directory-hint"))
        try:
            names = sorted(
                path.relative_to(self.folder).as_posix()
                for path in self.folder.rglob("*")
                if path.is_file() and fnmatch(path.name.lower(), pattern.lower())
            )
            stated = self._stated()
            files = tuple(
                WeightFile(name, (path := self.folder / name).stat().st_size, stated.get(name) or sha256_file(path))
                for name in names
            )
        except OSError as error:
            message = text("unreadable", path=self.folder, reason=error.strerror or error)
            raise WeightsNotFound(message, hint=text("directory-hint")) from error
        return Listing(revision, files)

    def fetch_file(self, repo: str, listing: Listing, file: WeightFile, destination: Path, progress: Progress) -> None:
        done = destination.stat().st_size if destination.exists() else 0
        with (self.folder / file.name).open("rb") as source, destination.open("ab") as whole:
            source.seek(done)
            progress.advance(done)
            while block := source.read(BLOCK_BYTES):
                whole.write(block)
                progress.advance(len(block))

    def _stated(self) -> dict[str, str]:
        sums = self.folder / SUMS_FILE
        if not sums.is_file():
            return {}
        lines = (re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line) for line in sums.read_text().splitlines())
        return {line[2].removeprefix("./"): line[1] for line in lines if line}
