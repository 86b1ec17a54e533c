"""Weights from ModelScope: the addresses that its own client uses (modelscope/hub/api.py, file_download.py).

Every answer is an envelope: a refusal may come as HTTP 200 with another `Code` in it.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from dsdeploy.adapters.hubs.base import ListedFile, Listing
from dsdeploy.adapters.hubs.huggingface import not_understood
from dsdeploy.adapters.hubs.transfer import Transfer, refused
from dsdeploy.core.progress import Progress

_PUBLIC = "https://www.modelscope.cn"
_BRANCH = "master"


class ModelScope:
    """It states a SHA-256 for every file of a branch, and may state none at a commit: then the branch's is held to,
    where the size is the same. Its commits are its own: `ours` says whether a plan's commit is one of them.

    The token comes from MODELSCOPE_API_TOKEN or a file; it is given for a session's cookies once.
    """

    name = "modelscope"

    def __init__(self, endpoint: str | None, token: str | None, ca_file: Path | None, *, ours: bool = False) -> None:
        self._token = token or os.environ.get("MODELSCOPE_API_TOKEN")
        place = endpoint or os.environ.get("MODELSCOPE_ENDPOINT") or _PUBLIC
        self._ours = ours
        self._transfer = Transfer(place, {"User-Agent": "dsdeploy"}, ca_file)
        self.place = self._transfer.place

    def list_files(self, repo: str, revision: str | None) -> Listing:
        if self._token:
            self._data(self._transfer.sign_in("/api/v1/login", {"AccessToken": self._token}, repo), repo)
        at = (revision if self._ours else None) or _BRANCH
        listed = self._files(repo, at)
        if at != _BRANCH and any(one.sha256 is None for one in listed):
            stated = {(one.name, one.size_bytes): one.sha256 for one in self._files(repo, _BRANCH)}
            listed = tuple(replace(one, sha256=one.sha256 or stated.get((one.name, one.size_bytes))) for one in listed)
        return Listing(at, listed)

    def fetch_file(self, repo: str, listing: Listing, file: ListedFile, destination: Path, progress: Progress) -> None:
        asked = urlencode({"Revision": listing.revision or _BRANCH, "FilePath": file.name})
        self._transfer.fetch(f"/api/v1/models/{repo}/repo?{asked}", repo, file.size_bytes, destination, progress)

    def _files(self, repo: str, at: str) -> tuple[ListedFile, ...]:
        asked = f"Revision={quote(at, safe='')}&Recursive=true"
        data = self._data(self._transfer.get_json(f"/api/v1/models/{repo}/repo/files?{asked}", repo), repo)
        try:
            files = (one for one in data["Files"] if one["Type"] == "blob")
            return tuple(ListedFile(one["Path"], int(one["Size"]), one.get("Sha256") or None) for one in files)
        except (KeyError, TypeError) as error:
            raise not_understood(self.place, error) from error

    def _data(self, said: Any, repo: str) -> Any:
        """What the envelope holds. Raises HubRefused, HubUnreachable, WeightsNotFound."""
        try:
            code, data = int(said["Code"]), said["Data"]
        except (KeyError, TypeError, ValueError) as error:
            raise not_understood(self.place, error) from error
        if code != 200:
            raise refused(self.place, repo, code)
        return data
