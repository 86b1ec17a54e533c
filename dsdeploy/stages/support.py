"""Packs what helps somebody elsewhere understand a release, with every secret taken out."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from dsdeploy.adapters.files import write_whole_bytes
from dsdeploy.adapters.host import detect_machine
from dsdeploy.adapters.targets.base import Target
from dsdeploy.core.documents import to_document
from dsdeploy.core.errors import DsdeployError, ReportNotWritable
from dsdeploy.core.health import judge_profile
from dsdeploy.core.layout import RUN_FOLDER
from dsdeploy.core.progress import Progress
from dsdeploy.core.redaction import Redactor
from dsdeploy.core.results import Result, success_document
from dsdeploy.core.texts import text
from dsdeploy.core.values import Packed, Release, Workload

_SECRETS = "secrets"
_MOST_BYTES = 4 * 2**20
_SHORTEST = 8  # a word of a file of secrets that is none: BEGIN, KEY, a key's name


def gather(release: Release, target: Target, lines: int, progress: Progress) -> dict[str, str]:
    """Name → content, secrets and all; what cannot be asked says why in its place. Nothing of `secrets/` is read."""
    folder = Path(release.folder)
    found = {
        str(one.relative_to(folder)): _read(one)
        for one in sorted(folder.rglob("*"))
        if one.is_file() and one.relative_to(folder).parts[0] not in (_SECRETS, RUN_FOLDER)
    }
    progress.begin(text("support-asking"))
    for name, ask in (
        ("engine.log", lambda: "\n".join(target.logs(release, lines))),
        ("service.json", lambda: _json(to_document(target.observe(release)))),
        ("workloads.json", lambda: _json([_shown(one) for one in target.workloads(release)])),
        ("machine.json", lambda: _json(success_document(Result("profile", judge_profile(detect_machine())), "en"))),
    ):
        found[name] = _told(ask)
    try:
        found |= {f"target/{one.path}": one.content for one in target.evidence(release)}
    except DsdeployError as error:
        found["target/fault.txt"] = error.message.render("en")
    found["packages.txt"] = "".join(sorted({f"{one.name} {one.version}\n" for one in distributions()}))
    progress.end()
    return found


def known_secrets(release: Release) -> tuple[str, ...]:
    """Every word of every file in the release's folder of secrets, and each file whole."""
    words: set[str] = set()
    for path in sorted((Path(release.folder) / _SECRETS).rglob("*")):
        if path.is_file() and path.suffix != ".crt":
            content = _read(path).strip()
            words |= {content, *content.split()}
    return tuple(word for word in words if len(word) >= _SHORTEST and "-----" not in word)


def pack(release: Release, content: dict[str, str], check: dict[str, Any], out: Path) -> Packed:
    """One tar.gz with a list of what is in it; `check` is that command's document. Raises ReportNotWritable."""
    redactor = Redactor(known_secrets(release))
    content = content | {"check.json": _json(check)}
    files = {redactor.clean(name): redactor.clean(words).encode() for name, words in sorted(content.items())}
    sums = "".join(f"{hashlib.sha256(body).hexdigest()}  {name}\n" for name, body in files.items())
    files["SHA256SUMS"] = sums.encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, body in files.items():
            entry = tarfile.TarInfo(f"dsdeploy-support/{name}")
            entry.size, entry.mode = len(body), 0o600
            archive.addfile(entry, io.BytesIO(body))
    try:
        write_whole_bytes(out, packed.getvalue())
    except OSError as error:
        message = text("not-writable", path=out, reason=error)
        raise ReportNotWritable(message, hint=text("not-writable-hint")) from error
    return Packed(str(out), len(packed.getvalue()), tuple(files), redactor.count)


def _shown(workload: Workload) -> dict[str, Any]:
    """Without its environment, which nobody outside needs whole."""
    return to_document(replace(workload, environment={}))


def _told(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except (DsdeployError, OSError) as error:
        return error.message.render("en") if isinstance(error, DsdeployError) else str(error)


def _read(path: Path) -> str:
    """The end of a long file: what went wrong stands there."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _MOST_BYTES))
            return file.read().decode(errors="replace")
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _json(document: object) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
