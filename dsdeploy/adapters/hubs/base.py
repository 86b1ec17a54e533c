"""What a source of weights promises."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dsdeploy.core.progress import Progress
from dsdeploy.core.values import WeightFile


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source holds for one plan: the pinned revision and each file with size and SHA-256, in reading order."""

    revision: str | None
    files: tuple[WeightFile, ...]


class Hub(Protocol):
    """A place that weights come from: a hub, a local directory, a package.

    `list_files` names what would be fetched, with the digests that the source itself states (for a directory: those of
    a manifest beside the files, or none may be stated and they are computed). `fetch_file` brings one file to
    `destination`, going on from what is there already; it may leave a partial file when it fails.
    The stage checks digests.
    """

    name: str

    def list_files(self, repo: str, revision: str | None, pattern: str) -> Listing: ...

    def fetch_file(
        self, repo: str, listing: Listing, file: WeightFile, destination: Path, progress: Progress
    ) -> None: ...
