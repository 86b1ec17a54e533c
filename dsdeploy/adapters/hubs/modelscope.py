"""Weights from ModelScope: the addresses that its own client uses (modelscope/hub/api.py, file_download.py)."""

import os
from pathlib import Path
from urllib.parse import quote

from dsdeploy.adapters.hubs.base import ListedFile, Listing
from dsdeploy.adapters.hubs.huggingface import not_understood
from dsdeploy.adapters.hubs.transfer import Transfer
from dsdeploy.core.progress import Progress

_PUBLIC = "https://www.modelscope.cn"
_BRANCH = "master"


class ModelScope:
    """It states a SHA-256 for every file. Its commits are its own: `ours` says whether a plan's commit is one of them.

    The token comes from MODELSCOPE_API_TOKEN or a file; it is given for a session's cookies once.
    """

    name = "modelscope"

    def __init__(self, endpoint: str | None, token: str | None, ca_file: Path | None, *, ours: bool = False) -> None:
        self._token = token or os.environ.get("MODELSCOPE_API_TOKEN")
        place = endpoint or os.environ.get("MODELSCOPE_ENDPOINT") or _PUBLIC
        self._ours = ours
        self._transfer = Transfer(place, {"User-Agent": "dsdeploy"}, ca_file)

    def list_files(self, repo: str, revision: str | None) -> Listing:
        if self._token:
            self._transfer.sign_in("/api/v1/login", {"AccessToken": self._token}, repo)
        at = (revision if self._ours else None) or _BRANCH
        asked = f"Revision={quote(at, safe='')}&Recursive=true"
        said = self._transfer.get_json(f"/api/v1/models/{repo}/repo/files?{asked}", repo)
        try:
            files = (one for one in said["Data"]["Files"] if one["Type"] == "blob")
            listed = tuple(ListedFile(one["Path"], int(one["Size"]), one.get("Sha256") or None) for one in files)
        except (KeyError, TypeError) as error:
            raise not_understood(self._transfer.endpoint, error) from error
        return Listing(at, listed)

    def fetch_file(self, repo: str, listing: Listing, file: ListedFile, destination: Path, progress: Progress) -> None:
        path = f"/models/{repo}/resolve/{quote(listing.revision or _BRANCH, safe='')}/{quote(file.name)}"
        self._transfer.fetch(path, repo, file.size_bytes, destination, progress)
