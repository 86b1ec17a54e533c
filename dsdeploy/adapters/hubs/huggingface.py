"""Weights from a Hugging Face Hub or any mirror of its protocol: https://huggingface.co/docs/hub/api."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dsdeploy.adapters.hubs.base import ListedFile, Listing
from dsdeploy.adapters.hubs.transfer import Transfer
from dsdeploy.core.errors import HubUnreachable
from dsdeploy.core.progress import Progress
from dsdeploy.core.texts import text

_PUBLIC = "https://huggingface.co"


class HuggingFace:
    """`endpoint` None means HF_ENDPOINT, else the public hub. The token comes from HF_TOKEN or a file, never a flag."""

    name = "hub"

    def __init__(self, endpoint: str | None = None, token: str | None = None, ca_file: Path | None = None) -> None:
        token = token or os.environ.get("HF_TOKEN")
        headers = {"User-Agent": "dsdeploy"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._transfer = Transfer(endpoint or os.environ.get("HF_ENDPOINT") or _PUBLIC, headers, ca_file)

    def list_files(self, repo: str, revision: str | None) -> Listing:
        at = f"/revision/{quote(revision, safe='')}" if revision else ""
        said = self._transfer.get_json(f"/api/models/{repo}{at}?blobs=true", repo)
        try:
            return Listing(said["sha"], tuple(map(_listed, said["siblings"])))
        except (KeyError, TypeError, AttributeError) as error:
            raise not_understood(self._transfer.endpoint, error) from error

    def fetch_file(self, repo: str, listing: Listing, file: ListedFile, destination: Path, progress: Progress) -> None:
        path = f"/{repo}/resolve/{quote(listing.revision or 'main', safe='')}/{quote(file.name)}"
        self._transfer.fetch(path, repo, file.size_bytes, destination, progress)


def _listed(said: dict[str, Any]) -> ListedFile:
    """A large file states its SHA-256; a small one the id of its Git blob."""
    large = said.get("lfs")
    name, size = str(said["rfilename"]), int(said.get("size") or 0)
    return ListedFile(name, size, str(large["sha256"])) if large else ListedFile(name, size, None, said.get("blobId"))


def not_understood(endpoint: str, error: Exception) -> HubUnreachable:
    reason = f"{type(error).__name__}: {error}"
    return HubUnreachable(text("hub-not-understood", endpoint=endpoint, reason=reason), hint=text("hub-refused-hint"))
