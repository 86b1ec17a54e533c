"""Weights that another program downloaded before: the caches of Hugging Face's client and of Ollama.

Both name a content by its digest, so what is taken from them is verified like a download.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from dsdeploy.adapters.hubs.base import ListedFile, Listing
from dsdeploy.adapters.hubs.directory import append_rest
from dsdeploy.core.errors import WeightsNotFound
from dsdeploy.core.progress import Progress
from dsdeploy.core.texts import text

_MODEL = "application/vnd.ollama.image.model"
_LICENCE = "application/vnd.ollama.image.license"


class HuggingFaceCache:
    """`models--OWNER--NAME/snapshots/COMMIT/PATH`, each a link to `blobs/DIGEST`.

    https://huggingface.co/docs/huggingface_hub/guides/manage-cache: a large file's blob is named by its SHA-256, a
    small one's by its Git id.
    """

    name = "huggingface-cache"

    def __init__(self, folder: Path | None = None) -> None:
        home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache/huggingface")
        self._folder = folder or Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
        self.place = str(self._folder)

    def list_files(self, repo: str, revision: str | None) -> Listing:
        place = self._folder / f"models--{repo.replace('/', '--')}"
        try:
            commit = revision or (place / "refs/main").read_text().strip()
            snapshot = place / "snapshots" / commit
            paths = sorted(path for path in snapshot.rglob("*") if path.is_file())
            files = tuple(_cached(path, path.relative_to(snapshot).as_posix()) for path in paths)
        except OSError as error:
            raise _not_cached(repo, place, error) from error
        if not files:
            raise _not_cached(repo, snapshot, "-")
        return Listing(commit, files)

    def fetch_file(self, repo: str, listing: Listing, file: ListedFile, destination: Path, progress: Progress) -> None:
        place = self._folder / f"models--{repo.replace('/', '--')}" / "snapshots" / str(listing.revision)
        append_rest(place / file.name, destination, progress)


class OllamaCache:
    """`manifests/HOST/OWNER/NAME/TAG` name layers; `blobs/sha256-DIGEST` hold them.

    A plan's repository is looked for as `hf.co/OWNER/NAME`, as Ollama names what it took from Hugging Face; a file is
    called NAME-TAG.gguf, so a plan's pattern can tell the tag. `NAME:TAG` is one of Ollama's own library.
    https://github.com/ollama/ollama/blob/main/docs/import.mdx, manifest/manifest.go.
    """

    name = "ollama-cache"

    def __init__(self, folder: Path | None = None) -> None:
        default = os.environ.get("OLLAMA_MODELS") or Path.home() / ".ollama/models"
        self._folder = folder or Path(default)
        self.place = str(self._folder)

    def list_files(self, repo: str, revision: str | None) -> Listing:
        files: list[ListedFile] = []
        for path in self._manifests(repo):
            name = f"{path.parent.name}-{path.name}"
            texts = 0
            for layer in self._layers(path):
                digest = re.fullmatch(r"sha256:([0-9a-f]{64})", str(layer.get("digest")))
                if digest and layer.get("mediaType") == _MODEL:
                    files.append(ListedFile(f"{name}.gguf", int(layer.get("size") or 0), digest[1]))
                elif digest and layer.get("mediaType") == _LICENCE:
                    texts += 1
                    files.append(ListedFile(f"LICENSE-{name}-{texts}.txt", int(layer.get("size") or 0), digest[1]))
        if not files:
            raise _not_cached(repo, self._folder, "-")
        return Listing(None, tuple(files))

    def fetch_file(self, repo: str, listing: Listing, file: ListedFile, destination: Path, progress: Progress) -> None:
        append_rest(self._folder / "blobs" / f"sha256-{file.sha256}", destination, progress)

    def _manifests(self, repo: str) -> list[Path]:
        name, _, tag = repo.partition(":")
        library = name if "/" in name else f"library/{name}"
        folders = (f"hf.co/{name}", f"huggingface.co/{name}", f"registry.ollama.ai/{library}")
        found = (path for one in folders for path in sorted((self._folder / "manifests" / one).glob(tag or "*")))
        return [path for path in found if path.is_file()]

    def _layers(self, manifest: Path) -> list[dict[str, Any]]:
        try:
            layers = json.loads(manifest.read_text())["layers"]
            return [one for one in layers if isinstance(one, dict)]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsNotFound(
                text("unreadable", path=manifest, reason=error), hint=text("not-cached-hint")
            ) from error


def _cached(path: Path, name: str) -> ListedFile:
    blob, size = Path(os.path.realpath(path)).name, path.stat().st_size
    if re.fullmatch(r"[0-9a-f]{64}", blob):
        return ListedFile(name, size, blob)
    return ListedFile(name, size, None, blob if re.fullmatch(r"[0-9a-f]{40}", blob) else None)


def _not_cached(repo: str, place: Path, reason: OSError | str) -> WeightsNotFound:
    return WeightsNotFound(text("not-cached", repo=repo, path=place, reason=reason), hint=text("not-cached-hint"))
