"""The service as a supervised process of this machine: no container, no root, no service manager needed."""

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import psutil

from dsdeploy.adapters import health
from dsdeploy.adapters.gateway.keys import read_keys
from dsdeploy.adapters.log_files import follow_lines, tail_lines
from dsdeploy.adapters.release_files import apply_file_operation, file_operations
from dsdeploy.adapters.workloads import memory_has_room, read_process
from dsdeploy.core.errors import EngineDied, EngineNotHealthy, InstallError, InvalidRequest
from dsdeploy.core.keys import ApiKey
from dsdeploy.core.layout import RUN_FOLDER, SERVICE_FILE
from dsdeploy.core.texts import text
from dsdeploy.core.values import (
    Finding,
    Operation,
    Plan,
    Release,
    RenderedFile,
    RenderedFiles,
    Service,
    Workload,
)

ENGINE_LOG = "engine.log"
_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_SUPERVISOR_PARTS = len(__name__.split(".")) + 1  # its place below the program, with its own name
_START_S = 60
_LOAD_BYTES_PER_S = 100_000_000  # a slow disk; the wait for health is no shorter than reading the weights from it
_LOG_LINES = 12
_RENEW_S = 40


class ProcessTarget:
    name = "process"
    log_parts: tuple[str, ...] = ("engine",)

    def preflight(self, release: Release) -> tuple[Finding, ...]:
        """Also raises SecretsOpen, KeysUnreadable."""
        read_keys(release)
        if self._state(release).get("engine_pid") is not None:
            return (Finding("port-free", "pass", text("port-is-ours", port=release.port)),)
        with socket.socket(socket.AF_INET6 if ":" in release.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((release.host, release.port))
            except OSError as error:
                message = text("port-not-free", host=release.host, port=release.port, reason=error)
                return (Finding("port-free", "fail", message, text("port-not-free-hint")),)
        return (Finding("port-free", "pass", text("port-is-free", host=release.host, port=release.port)),)

    def rehearse(self, release: Release, rendered: RenderedFiles) -> tuple[Finding, ...]:
        return ()

    def pending(self, release: Release, rendered: RenderedFiles) -> tuple[Operation, ...]:
        files = file_operations(release, rendered)
        state = self._state(release)
        other = bool(state) and state["service_sha256"] != _service_sha256(rendered)
        healthy = health.answers(release)
        if not files and state and not other and healthy:
            return ()
        stale = other or (bool(state) and not healthy and (state["state"] != "running" or state["restarts"] > 0))
        stop = (Operation("stop-process", {"name": release.name}),) if stale else ()
        start = (Operation("start-process", {"name": release.name}),) if stale or not state else ()
        return (*files, *stop, *start, Operation("wait-healthy", {"url": release.url}))

    def apply(self, operation: Operation, release: Release, rendered: RenderedFiles) -> None:
        match operation.action:
            case "start-process":
                self._start(release, rendered)
            case "stop-process":
                self._stop(release)
            case "wait-healthy":
                self._wait_healthy(release)
            case _:
                apply_file_operation(operation, release, rendered)

    def observe(self, release: Release) -> Service:
        state = self._state(release)
        gave_up = self._told(release).get("state") == "failed"
        name = "failed" if gave_up else str(state.get("state", "stopped"))
        if name == "running" and not health.answers(release):
            name = "starting"
        pid = state.get("engine_pid")
        return Service(name, pid, int(state.get("restarts", 0)), _log_tail(release))

    def take_keys(self, release: Release, keys: tuple[ApiKey, ...]) -> None:
        """llama.cpp reads its keys once, so that the engine starts again."""
        state = self._state(release)
        if not state:
            return
        asked = state["engine_pid"]
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(state["supervisor_pid"]).send_signal(signal.SIGHUP)
        end = time.monotonic() + _RENEW_S
        while self._state(release).get("engine_pid") in (asked, None) and time.monotonic() < end:
            time.sleep(0.1)
        self._wait_healthy(release, restarts=state["restarts"])

    def removal(self, release: Release) -> tuple[Operation, ...]:
        stop = (Operation("stop-process", {"name": release.name}),) if self._state(release) else ()
        return (*stop, Operation("remove-folder", {"path": release.folder}))

    def reach(self, release: Release) -> AbstractContextManager[Release]:
        return nullcontext(release)

    def workloads(self, release: Release) -> tuple[Workload, ...]:
        """The engine; its supervisor only starts it again and listens nowhere."""
        pid = self._state(release).get("engine_pid")
        engine = None if pid is None else read_process("engine", pid)
        return (engine,) if engine else ()

    def logs(
        self, release: Release, lines: int, *, follow: bool = False, since_s: int | None = None, part: str = "engine"
    ) -> Iterator[str]:
        """llama.cpp counts time from its own start, so that its lines have no date to choose by."""
        if since_s is not None:
            raise InvalidRequest(text("logs-undated"), hint=text("logs-undated-hint"))
        path = _run(release) / ENGINE_LOG
        yield from tail_lines(path, lines)
        if follow:
            yield from follow_lines(path)

    def has_room(self, plan: Plan) -> bool:
        return memory_has_room(plan)

    def run_inside(self, release: Release, code: str) -> str | None:
        """A process has no inside of its own: it sees what this machine sees."""
        return None

    def crash(self, release: Release) -> None:
        pid = self._state(release).get("engine_pid")
        if pid is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(pid).kill()

    def evidence(self, release: Release) -> tuple[RenderedFile, ...]:
        found = (_run(release) / name for name in ("state.json", "supervisor.log"))
        return tuple(RenderedFile(one.name, one.read_text(errors="replace")) for one in found if one.is_file())

    def _told(self, release: Release) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads((_run(release) / "state.json").read_text())
        except (OSError, ValueError):
            return {}
        return state

    def _state(self, release: Release) -> dict[str, Any]:
        """What a living supervisor last told; empty when none lives."""
        state = self._told(release)
        return state if _is_supervisor(state.get("supervisor_pid")) else {}

    def _start(self, release: Release, rendered: RenderedFiles) -> None:
        run = _run(release)
        (run / "state.json").unlink(missing_ok=True)
        try:
            with (run / "supervisor.log").open("ab") as log:
                subprocess.Popen(
                    [sys.executable, "-I", str(_SUPERVISOR), release.folder, _service_sha256(rendered)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    cwd="/",
                )
        except OSError as error:
            raise InstallError(
                text("supervisor-not-started", reason=error), hint=text("supervisor-not-started-hint")
            ) from error

    def _stop(self, release: Release) -> None:
        pid = self._state(release).get("supervisor_pid")
        if pid is None:
            return
        try:
            keeper = psutil.Process(pid)
            keeper.send_signal(signal.SIGTERM)
            keeper.wait(timeout=30)
        except psutil.NoSuchProcess:
            pass
        except psutil.TimeoutExpired:
            keeper.kill()

    def _wait_healthy(self, release: Release, restarts: int = 0) -> None:
        loading_s = sum(one.size_bytes for one in release.weights.files) / _LOAD_BYTES_PER_S
        wait_s = float(os.environ.get("DSDEPLOY_START_S") or _START_S) + loading_s
        end = time.monotonic() + wait_s
        seen = False
        while time.monotonic() < end:
            if health.answers(release):
                return
            state = self._state(release)
            seen = seen or bool(state)
            if seen and (not state or state["restarts"] > restarts):
                raise EngineDied(
                    text("engine-died", name=release.name, log=_tail_text(release)),
                    hint=text("engine-log-hint", path=_run(release) / ENGINE_LOG),
                )
            time.sleep(0.2)
        raise EngineNotHealthy(
            text("engine-not-healthy", url=release.url, seconds=round(wait_s), log=_tail_text(release)),
            hint=text("engine-log-hint", path=_run(release) / ENGINE_LOG),
        )


def _run(release: Release) -> Path:
    return Path(release.folder) / RUN_FOLDER


def _service_sha256(rendered: RenderedFiles) -> str:
    content = next(one.content for one in rendered.files if one.path == SERVICE_FILE)
    return hashlib.sha256(content.encode()).hexdigest()


def _is_supervisor(pid: object) -> bool:
    """Whether that process lives and is ours: a pid may have been given to another one since.

    The program may lie elsewhere than when it started it: another environment, or installed anew.
    """
    try:
        return isinstance(pid, int) and any(
            Path(word).parts[-_SUPERVISOR_PARTS:] == _SUPERVISOR.parts[-_SUPERVISOR_PARTS:]
            for word in psutil.Process(pid).cmdline()
        )
    except psutil.Error:
        return False


def _log_tail(release: Release) -> tuple[str, ...]:
    try:
        with (_run(release) / ENGINE_LOG).open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - 16384))
            return tuple(log.read().decode(errors="replace").splitlines()[-_LOG_LINES:])
    except OSError:
        return ()


def _tail_text(release: Release) -> str:
    return "\n".join(_log_tail(release)) or "-"
