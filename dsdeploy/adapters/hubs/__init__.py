"""Where weights come from: every source by the name that a plan or a flag gives it."""

from dataclasses import dataclass
from pathlib import Path

from dsdeploy.adapters.hubs.base import Hub
from dsdeploy.core.errors import InvalidRequest
from dsdeploy.core.texts import text

ORIGINS = ("hub", "modelscope", "package", "directory", "huggingface-cache", "ollama-cache")


@dataclass(frozen=True, slots=True)
class Source:
    """What the user said about where to fetch from; all None means: as the plan says. `ca_file` is a PEM file."""

    origin: str | None = None
    folder: Path | None = None
    endpoint: str | None = None
    token_file: Path | None = None
    ca_file: Path | None = None


def find_hub(origin: str, source: Source) -> Hub:
    """The member for `source`, else for the plan's `origin`. Raises InvalidRequest."""
    wanted = source.origin or ("directory" if source.folder else origin)
    if wanted == "package":
        from dsdeploy.adapters.hubs.package import Package

        return Package()
    if wanted == "directory":
        from dsdeploy.adapters.hubs.directory import Directory

        if source.folder is None:
            raise InvalidRequest(text("no-folder"), hint=text("no-folder-hint"))
        return Directory(source.folder)
    if wanted in ("huggingface-cache", "ollama-cache"):
        from dsdeploy.adapters.hubs.caches import HuggingFaceCache, OllamaCache

        return HuggingFaceCache(source.folder) if wanted == "huggingface-cache" else OllamaCache(source.folder)
    if wanted == "hub":
        from dsdeploy.adapters.hubs.huggingface import HuggingFace

        return HuggingFace(source.endpoint, _token(source.token_file), _readable(source.ca_file))
    if wanted == "modelscope":
        from dsdeploy.adapters.hubs.modelscope import ModelScope

        token, ca_file = _token(source.token_file), _readable(source.ca_file)
        return ModelScope(source.endpoint, token, ca_file, ours=origin == "modelscope")
    raise InvalidRequest(text("bad-origin", found=wanted), hint=text("bad-target-hint", known=", ".join(ORIGINS)))


def _token(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise InvalidRequest(text("unreadable", path=path, reason=error), hint=text("token-hint")) from error


def _readable(path: Path | None) -> Path | None:
    import ssl

    try:
        if path is not None:
            ssl.create_default_context(cafile=str(path))
    except OSError as error:
        reason = text("reason-no-certificate") if isinstance(error, ssl.SSLError) else error
        raise InvalidRequest(text("unreadable", path=path, reason=reason), hint=text("ca-hint")) from error
    return path
