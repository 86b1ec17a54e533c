"""Weights from a Hugging Face Hub or any mirror of its protocol: asked through `huggingface_hub`, fetched by ranges."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dsdeploy.adapters.hubs.base import ListedFile, Listing
from dsdeploy.adapters.hubs.transfer import Transfer, refused, unreachable
from dsdeploy.core.errors import HubUnreachable
from dsdeploy.core.progress import Progress
from dsdeploy.core.texts import text

_PUBLIC = "https://huggingface.co"
_ASK_S = 30.0


class HuggingFace:
    """`endpoint` None means HF_ENDPOINT, else the public hub. The token comes from HF_TOKEN or a file, never a flag."""

    name = "hub"

    def __init__(self, endpoint: str | None = None, token: str | None = None, ca_file: Path | None = None) -> None:
        os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # read when huggingface_hub is first imported
        self._token = token or os.environ.get("HF_TOKEN")
        self._ca_file = ca_file
        headers = {"User-Agent": "dsdeploy"} | ({"Authorization": f"Bearer {self._token}"} if self._token else {})
        self._transfer = Transfer(endpoint or os.environ.get("HF_ENDPOINT") or _PUBLIC, headers, ca_file)
        self.place = self._transfer.place

    def list_files(self, repo: str, revision: str | None) -> Listing:
        from huggingface_hub import HfApi

        with self._named_errors(repo):
            api = HfApi(endpoint=self._transfer.endpoint, token=self._token or False, library_name="dsdeploy")
            said = api.model_info(repo, revision=revision, files_metadata=True, timeout=_ASK_S)
        if said.sha is None or said.siblings is None:
            raise not_understood(self.place, ValueError("sha, siblings"))
        return Listing(said.sha, tuple(map(_listed, said.siblings)))

    def fetch_file(self, repo: str, listing: Listing, file: ListedFile, destination: Path, progress: Progress) -> None:
        from huggingface_hub import hf_hub_url

        url = hf_hub_url(repo, file.name, revision=listing.revision, endpoint=self._transfer.endpoint)
        self._transfer.fetch(url.removeprefix(self._transfer.endpoint), repo, file.size_bytes, destination, progress)

    @contextmanager
    def _named_errors(self, repo: str) -> Iterator[None]:
        """Raises HubRefused, HubUnreachable or WeightsNotFound for whatever the library and its transport raise."""
        from huggingface_hub import close_session, errors

        endpoint = self.place
        close_session()  # it would keep the proxy and the authority that it was opened with
        if self._ca_file:
            _trust(self._ca_file)
        try:
            yield
        except errors.HfHubHTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            raise refused(endpoint, repo, status) from error
        except (KeyError, TypeError, AttributeError) as error:
            raise not_understood(endpoint, error) from error
        except Exception as error:  # the library's own, or of the HTTP library that its version stands on
            raise unreachable(endpoint, error) from error


def _trust(ca_file: Path) -> None:
    """Lets huggingface_hub's client take a private authority; it reads no environment variable for one."""
    import ssl

    import httpx2
    from huggingface_hub import set_client_factory

    context = ssl.create_default_context(cafile=str(ca_file))
    set_client_factory(lambda: httpx2.Client(verify=context, follow_redirects=True, timeout=_ASK_S))


def _listed(said: Any) -> ListedFile:
    """A large file states its SHA-256; a small one the id of its Git blob."""
    size = int(said.size or 0)
    return (
        ListedFile(said.rfilename, size, said.lfs.sha256, None)
        if said.lfs
        else (ListedFile(said.rfilename, size, None, said.blob_id))
    )


def not_understood(endpoint: str, error: Exception) -> HubUnreachable:
    reason = f"{type(error).__name__}: {error}"
    return HubUnreachable(text("hub-not-understood", endpoint=endpoint, reason=reason), hint=text("hub-refused-hint"))
