"""Weights from a folder: a disc, a share, an earlier download."""

import os
import re
from pathlib import Path

from dsdeploy.adapters.digests import BLOCK_BYTES
from dsdeploy.adapters.hubs.base import ListedFile, Listing
from dsdeploy.core.errors import WeightsNotFound
from dsdeploy.core.progress import Progress
from dsdeploy.core.texts import text

SUMS_FILE = "SHA256SUMS"


class Directory:
    """Digests come from a `SHA256SUMS` in the folder; a file that it does not name is taken as it is found."""

    name = "directory"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = str(folder)

    def list_files(self, repo: str, revision: str | None) -> Listing:
        if not self.folder.is_dir():
            message = text("unreadable", path=self.folder, reason=text("not-a-folder"))
            raise WeightsNotFound(message, hint=text("directory-hint"))
        try:
            stated = self._stated()
            paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
            names = ((path.relative_to(self.folder).as_posix(), path) for path in paths)
            files = tuple(ListedFile(name, path.stat().st_size, stated.get(name)) for name, path in names)
        except OSError as error:
            message = text("unreadable", path=self.folder, reason=error)
            raise WeightsNotFound(message, hint=text("directory-hint")) from error
        return Listing(revision, files)

    def fetch_file(self, repo: str, listing: Listing, file: ListedFile, destination: Path, progress: Progress) -> None:
        append_rest(self.folder / file.name, destination, progress)

    def _stated(self) -> dict[str, str]:
        sums = self.folder / SUMS_FILE
        if not sums.is_file():
            return {}
        lines = (re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line) for line in sums.read_text().splitlines())
        return {line[2].removeprefix("./"): line[1] for line in lines if line}


def append_rest(source: Path, destination: Path, progress: Progress) -> None:
    """Copies what `destination` does not hold yet. Raises OSError."""
    done = destination.stat().st_size if destination.exists() else 0
    with source.open("rb") as whole, destination.open("ab") as part:
        os.posix_fadvise(whole.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        whole.seek(done)
        progress.advance(done)
        while block := whole.read(BLOCK_BYTES):
            part.write(block)
            progress.advance(len(block))
