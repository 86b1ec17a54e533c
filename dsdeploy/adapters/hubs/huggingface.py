"""Weights from a Hugging Face Hub or any mirror of its protocol, through `huggingface_hub`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from dsdeploy.adapters.hubs.base import Listing
from dsdeploy.core.errors import DsdeployError, HubRefused, HubUnreachable, WeightsNotFound, WeightsUnsafe
from dsdeploy.core.progress import Progress
from dsdeploy.core.texts import text
from dsdeploy.core.values import WeightFile

_SAFE = (".gguf", ".safetensors", ".json", ".txt", ".jinja", ".md", ".model")


class HuggingFace:
    """`endpoint` None means HF_ENDPOINT, else the public hub. The token comes from HF_TOKEN or a file, never a flag."""

    name = "hub"

    def __init__(self, endpoint: str | None = None, token: str | None = None) -> None:
        # read when huggingface_hub is first imported; a xet transfer would go to other hosts
        os.environ["HF_HUB_DISABLE_XET"] = "1"
        os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
        self.endpoint = endpoint or os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
        self.token = token or os.environ.get("HF_TOKEN")

    def list_files(self, repo: str, revision: str | None, pattern: str) -> Listing:
        from huggingface_hub import HfApi

        with _named_errors(self.endpoint, repo):
            api = HfApi(endpoint=self.endpoint, token=self.token or False)
            model = api.model_info(repo, revision=revision, files_metadata=True, timeout=30)
        files = tuple(
            WeightFile(one.rfilename, one.size or 0, one.lfs.sha256 if one.lfs else "")
            for one in sorted(model.siblings or (), key=lambda one: one.rfilename)
            if fnmatch(PurePosixPath(one.rfilename).name.lower(), pattern.lower())
        )
        for file in files:
            if not file.name.endswith(_SAFE) or ".." in PurePosixPath(file.name).parts or file.name.startswith("/"):
                raise WeightsUnsafe(text("weights-unsafe", name=file.name), hint=text("weights-unsafe-hint"))
            if not file.sha256:
                raise WeightsUnsafe(text("weights-undated", name=file.name), hint=text("weights-unsafe-hint"))
        return Listing(model.sha, files)

    def fetch_file(self, repo: str, listing: Listing, file: WeightFile, destination: Path, progress: Progress) -> None:
        """Appends to `destination`. `hf_hub_download` is not used: it starts anew after a kill (huggingface_hub 2)."""
        from huggingface_hub import hf_hub_url
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        url = hf_hub_url(repo, file.name, revision=listing.revision, endpoint=self.endpoint)
        with destination.open("ab+") as partial, _named_errors(self.endpoint, repo):
            http_get(
                url,
                partial,
                resume_size=partial.tell(),
                headers=build_hf_headers(token=self.token or False),
                expected_size=file.size_bytes,
                tqdm_class=_reporting_to(progress),
            )


@contextmanager
def _named_errors(endpoint: str, repo: str) -> Iterator[None]:
    """Raises HubUnreachable, HubRefused or WeightsNotFound for whatever the library and its transport raise."""
    from huggingface_hub import errors

    try:
        yield
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        missing = status == 404 or isinstance(error, errors.RepositoryNotFoundError | errors.RevisionNotFoundError)
        if missing and status not in (401, 403):
            raise WeightsNotFound(
                text("not-at-hub", repo=repo, endpoint=endpoint), hint=text("not-at-hub-hint")
            ) from error
        raise _refused(endpoint, repo, status) from error
    except DsdeployError:
        raise
    except Exception as error:  # only the library runs in here, and which HTTP library it stands on differs by version
        if isinstance(error, OSError) and error.errno in (28, 13, 30, 122):  # the disk's own fault, not the hub's
            raise
        reason = str(error.__cause__ or error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise HubUnreachable(
            text("hub-unreachable", endpoint=endpoint, reason=reason), hint=text("hub-unreachable-hint")
        ) from error


def _refused(endpoint: str, repo: str, status: int) -> HubRefused:
    hint = text("hub-refused-access-hint") if status in (401, 403) else text("hub-refused-hint")
    return HubRefused(text("hub-refused", endpoint=endpoint, repo=repo, status=status), hint=hint)


def _reporting_to(progress: Progress) -> type[Any]:
    from tqdm import tqdm

    class Reporting(tqdm):  # type: ignore[misc]
        def __init__(self, *words: Any, **more: Any) -> None:
            progress.advance(int(more.get("initial") or 0))
            super().__init__(*words, **{**more, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            progress.advance(int(n or 0))
            return None

    return Reporting
