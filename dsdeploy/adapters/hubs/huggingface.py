"""Weights from a Hugging Face Hub or any mirror of its protocol, through `huggingface_hub`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from dsdeploy.adapters.hubs.base import Listing
from dsdeploy.core.errors import HubRefused, HubUnreachable, WeightsNotFound, WeightsUnsafe
from dsdeploy.core.progress import Progress
from dsdeploy.core.texts import text
from dsdeploy.core.values import WeightFile

_SAFE = (".gguf", ".safetensors", ".json", ".txt", ".jinja", ".md", ".model")


class HuggingFace:
    """`endpoint` None means HF_ENDPOINT, else the public hub. The token comes from HF_TOKEN or a file, never a flag."""

    name = "hub"

    def __init__(self, endpoint: str | None = None, token: str | None = None) -> None:
        # huggingface_hub reads these when it is first imported; its xet transfer would go to other hosts
        os.environ["HF_HUB_DISABLE_XET"] = "1"
        os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "0"
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
        """Goes on from what an earlier run left in `.cache` beside the destination."""
        from huggingface_hub import hf_hub_download

        with _named_errors(self.endpoint, repo):
            got = hf_hub_download(
                repo,
                file.name,
                revision=listing.revision,
                local_dir=destination.parent,
                endpoint=self.endpoint,
                token=self.token or False,
                tqdm_class=_reporting_to(progress),
            )
        os.replace(got, destination)


@contextmanager
def _named_errors(endpoint: str, repo: str) -> Iterator[None]:
    """Raises HubUnreachable, HubRefused or WeightsNotFound for whatever the library and its transport raise."""
    from huggingface_hub import errors
    from huggingface_hub.utils import HfHubHTTPError

    transport = HfHubHTTPError.__mro__[1]  # the HTTP library's own base; which library that is differs by version
    try:
        yield
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.RemoteEntryNotFoundError) as error:
        status = error.response.status_code if error.response is not None else 404
        if status in (401, 403) or isinstance(error, errors.GatedRepoError):
            raise _refused(endpoint, repo, status) from error
        raise WeightsNotFound(text("not-at-hub", repo=repo, endpoint=endpoint), hint=text("not-at-hub-hint")) from error
    except errors.HfHubHTTPError as error:
        raise _refused(endpoint, repo, error.response.status_code if error.response is not None else 0) from error
    except (
        errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, transport, ConnectionError, OSError, EOFError
    ) as error:  # fmt: skip
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
