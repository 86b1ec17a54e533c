"""Is every door shut but the planned one, and that one locked?"""

import os
import shlex
from collections.abc import Iterable
from typing import Any

import psutil

from dsdeploy.adapters.chat import CHAT_PATH
from dsdeploy.adapters.endpoint import QUICK
from dsdeploy.core.texts import text
from dsdeploy.stages.check.subject import Outcome, Subject, failed, passed, skipped

_REFUSED = (401, 403)
_ABSENT = (404, 405, 410)
_LIMIT = "401 / 403"
_API: tuple[tuple[str, object], ...] = (
    ("/v1/models", None),
    (CHAT_PATH, {}),
    ("/v1/completions", {}),
    ("/v1/embeddings", {}),
)
# What the engines offer beside the API: llama.cpp tools/server/server.cpp, vLLM vllm/entrypoints/openai/api_server.py,
# SGLang python/sglang/srt/entrypoints/http_server.py. Only health may answer anyone (/health and its aliases).
_OTHER_PATHS = (
    "/", "/metrics", "/props", "/slots", "/models", "/lora-adapters", "/api/tags", "/version", "/load", "/server_info",
    "/get_server_info", "/get_model_info", "/model_info", "/docs", "/redoc", "/openapi.json", "/v1/loads",
)  # fmt: skip


def needs_key(subject: Subject) -> Outcome:
    found = {path: subject.endpoint.ask(path, None, body, QUICK).status for path, body in _API}
    doors = {path: status for path, status in found.items() if status not in (*_REFUSED, *_ABSENT)}
    if doors:
        message = text("check-no-key-needed", paths=", ".join(doors))
        return failed(message, text("check-no-key-needed-hint"), measured=_statuses(doors.values()), limit=_LIMIT)
    return passed(text("check-key-needed"), measured=_statuses(found.values()), limit=_LIMIT)


def refuses_wrong_key(subject: Subject) -> Outcome:
    """A made-up key, none at all after "Bearer", and the right one without its last sign."""
    wrong = ("wrong", "", subject.key[:-1]) if subject.key else ("wrong", "")
    statuses = [subject.endpoint.ask(CHAT_PATH, key, {}, QUICK).status for key in wrong]
    if all(status in _REFUSED for status in statuses):
        return passed(text("check-wrong-key-refused"), measured=_statuses(statuses), limit=_LIMIT)
    message, hint = text("check-wrong-key-taken"), text("check-no-key-needed-hint")
    return failed(message, hint, measured=_statuses(statuses), limit=_LIMIT)


def closed_paths(subject: Subject) -> Outcome:
    doors = [path for path in _OTHER_PATHS if subject.endpoint.ask(path, waits=QUICK).status < 400]
    measured = f"{len(doors)} / {len(_OTHER_PATHS)}"
    if doors:
        message = text("check-paths-open", paths=", ".join(doors))
        return failed(message, text("check-paths-open-hint"), measured=measured, limit="0")
    return passed(text("check-paths-closed"), measured=measured, limit="0")


def listens_as_planned(subject: Subject) -> Outcome:
    """A process is asked for its own sockets; for a container, whoever listens on its published port here."""
    release = subject.release
    try:
        found = _own_sockets(subject) if release.target == "process" else _holders(release.port)
    except (psutil.Error, OSError) as error:
        return skipped(text("check-sockets-unknown", reason=f"{type(error).__name__}: {error}"))
    if not found:
        return skipped(text("check-sockets-unseen"))
    hosts = ("127.0.0.1", "::1") if release.host == "localhost" else (release.host,)
    planned = {(host, release.port) for host in hosts}
    measured, limit = _sockets(found), _sockets(planned)
    if found <= planned:
        return passed(text("check-listens-as-planned"), measured=measured, limit=limit)
    return failed(text("check-listens-elsewhere"), text("check-listens-elsewhere-hint"), measured=measured, limit=limit)


def keys_private(subject: Subject) -> Outcome:
    """Its owner is who asks here, or who serves."""
    path, limit = subject.keys_file, "0600"
    try:
        told = path.stat()
    except OSError as error:
        message = text("check-keys-unreadable", path=path, reason=error)
        return failed(message, text("check-keys-unreadable-hint"), limit=limit)
    measured = f"{told.st_mode & 0o777:04o}"
    hint = text("check-keys-open-hint", path=shlex.quote(str(path)))
    if told.st_mode & 0o077:
        message = text("check-keys-open", path=path)
        return failed(message, hint, measured=measured, limit=limit)
    if told.st_uid not in (os.getuid(), *_engine_uids(subject)):
        message = text("check-keys-foreign", path=path, uid=told.st_uid)
        return failed(message, hint, measured=measured, limit=limit)
    return passed(text("check-keys-private"), measured=measured, limit=limit)


def secrets_private(subject: Subject) -> Outcome:
    """The folder and everything else in it: private keys, key maps. Certificates alone may be read by others."""
    folder, limit = subject.keys_file.parent, "0700 / 0600"
    try:
        found = [one for one in (folder, *sorted(folder.rglob("*"))) if one != subject.keys_file]
        wide = [one for one in found if one.stat().st_mode & 0o077 and one.suffix != ".crt"]
    except OSError as error:
        return skipped(text("check-secrets-unseen", reason=error))
    if wide:
        paths = ", ".join(map(str, wide[:3]))
        return failed(
            text("check-secrets-open", paths=paths), text("check-secrets-open-hint", folder=shlex.quote(str(folder))),
            measured=f"{wide[0].stat().st_mode & 0o777:04o}", limit=limit,
        )  # fmt: skip
    return passed(text("check-secrets-private"), measured=f"{len(found)} / {len(found)}", limit=limit)


def _engine_uids(subject: Subject) -> set[int]:
    return {uid for one in subject.workloads for uid in one.uids}


def _own_sockets(subject: Subject) -> set[tuple[str, int]]:
    engine = subject.engine_process
    return set() if engine is None else _listening(engine.net_connections("tcp"))


def _holders(port: int) -> set[tuple[str, int]]:
    return {one for one in _listening(psutil.net_connections("tcp")) if one[1] == port}


def _listening(connections: Iterable[Any]) -> set[tuple[str, int]]:
    return {(one.laddr.ip, one.laddr.port) for one in connections if one.status == psutil.CONN_LISTEN}


def _statuses(statuses: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(set(statuses))))


def _sockets(sockets: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in sorted(sockets))
