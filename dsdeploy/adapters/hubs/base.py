"""What a source of weights promises."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dsdeploy.core.progress import Progress


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One file of a source. It states a SHA-256, or for a small file of a Git hub the blob's id, or nothing."""

    name: str
    size_bytes: int
    sha256: str | None = None
    git_sha1: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """All that a source holds of a repository at one revision, by path with forward slashes."""

    revision: str | None
    files: tuple[ListedFile, ...]


class Hub(Protocol):
    """Where weights come from: a hub, a local directory, a cache, a package. `place` is its address or folder.

    `list_files` names everything in the repository, with the digests that the source itself states. `fetch_file`
    brings one file to `destination`, going on from what is there already; it may leave a partial file when it fails.
    The stage chooses files and checks digests.
    """

    name: str
    place: str

    def list_files(self, repo: str, revision: str | None) -> Listing: ...

    def fetch_file(
        self, repo: str, listing: Listing, file: ListedFile, destination: Path, progress: Progress
    ) -> None: ...
