"""Helm itself, as a program of this machine; a release it left half done can be taken up again."""

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from dsdeploy.adapters.files import write_whole
from dsdeploy.core.errors import HelmBusy, InstallError, RuntimeMissing
from dsdeploy.core.texts import text

_ASK_TIMEOUT_S = 120
_STOP_S = 60
_LOOK_S = 1
_OLDEST = 4
_NO_RELEASE = "release: not found"  # an API server that starts says of roles, too, that they are not found
_ASIDE = re.compile(r"[IWEF]\d{4} |level=|WARNING: ")  # what its libraries log beside the error itself


@dataclass(frozen=True, slots=True)
class HelmRelease:
    """`status` is Helm's word: deployed, failed, pending-install … `description` is what its last change was told."""

    revision: int
    status: str
    description: str

    @property
    def pending(self) -> bool:
        return self.status.startswith("pending-") or self.status == "uninstalling"


class Helm:
    """Acts in one namespace of one context. Every method may raise RuntimeMissing, InstallError."""

    def __init__(self, context: str, namespace: str) -> None:
        self._place = ("--kube-context", context, "--namespace", namespace)

    def version(self) -> str:
        return self._ask("version", "--template", "{{.Version}}").strip()

    def status(self, name: str) -> HelmRelease | None:
        """None where Helm knows no such release."""
        try:
            told = json.loads(self._ask("status", name, "--output", "json"))
        except InstallError as error:
            if _NO_RELEASE in str(error.message.values.get("reason")):
                return None
            raise
        info = told["info"]
        return HelmRelease(int(told["version"]), str(info["status"]), str(info.get("description", "")))

    def render(self, name: str, chart: Path, values: Path, version: str, served: tuple[str, ...]) -> str:
        """The manifest, for a cluster of that version that serves those groups and versions ("apps/v1")."""
        offers = ("--kube-version", version, *(word for one in served for word in ("--api-versions", one)))
        return self._ask("template", name, str(chart), "--values", str(values), *offers)

    def upgrade(
        self,
        name: str,
        chart: Path,
        values: Path,
        *,
        description: str,
        timeout_s: int,
        note: Path,
        watch: Callable[[], None],
    ) -> None:
        """Installs or upgrades, and waits until all is ready. `watch` is called all along; what it raises ends Helm.

        A Helm that is asked to end marks its release as failed, which the next run may upgrade. `note` says which
        process works on which revision, for a run that comes after this one was killed.
        """
        found = self.status(name)
        revision = found.revision + 1 if found else 1
        words = ("upgrade", name, str(chart), "--install", "--values", str(values), "--description", description)
        waits = ("--wait=watcher", "--timeout", f"{timeout_s}s", "--history-max", "10")
        _take_note(note, revision)
        with (
            tempfile.TemporaryFile("w+") as said,
            _started((*self._command(), *words, *waits, *self._place), said) as run,
        ):
            try:
                _take_note(note, revision, run.pid)
                while not _over(run, _LOOK_S):
                    watch()
            except BaseException:
                run.send_signal(signal.SIGTERM)
                run.wait(timeout=_STOP_S)
                raise
            said.seek(0)
            if run.returncode:
                raise _failed(said.read())

    def uninstall(self, name: str, timeout_s: int) -> None:
        waits = ("--wait=watcher", "--timeout", f"{timeout_s}s", "--ignore-not-found")
        self._run("uninstall", name, *waits, timeout_s=timeout_s + _STOP_S)

    def _ask(self, *words: str) -> str:
        return self._run(*words, timeout_s=_ASK_TIMEOUT_S)

    def _run(self, *words: str, timeout_s: int) -> str:
        place = () if words[0] == "version" else self._place
        try:
            run = subprocess.run(
                (*self._command(), *words, *place), capture_output=True, text=True, timeout=timeout_s,
                stdin=subprocess.DEVNULL, env=_environment(), check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise _failed(f"helm {words[0]}: {timeout_s} s") from error
        if run.returncode:
            raise _failed(run.stderr)
        return run.stdout

    @staticmethod
    def _command() -> tuple[str, ...]:
        found = shutil.which("helm")
        if found is None:
            raise RuntimeMissing(text("helm-missing"), hint=text("helm-missing-hint", oldest=_OLDEST))
        return (found,)


def _started(words: tuple[str, ...], said: IO[str]) -> "subprocess.Popen[str]":
    process: subprocess.Popen[str] = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, text=True,
        env=_environment(), preexec_fn=_end_with_parent, start_new_session=True,
    )  # fmt: skip
    return process


def _over(run: "subprocess.Popen[str]", within_s: float) -> bool:
    try:
        run.wait(timeout=within_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def worked_here(note: Path, revision: int) -> bool | None:
    """Whether the Helm of `note` still works on `revision`; None where it was not begun here."""
    try:
        told = json.loads(note.read_text(encoding="utf-8"))
        if int(told["revision"]) != revision:
            return None
        return "pid" in told and bool(psutil.Process(int(told["pid"])).create_time() == told["began"])
    except psutil.NoSuchProcess:
        return False
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _take_note(note: Path, revision: int, pid: int | None = None) -> None:
    """Before Helm is started, then with its process: a run killed in between had begun that revision, too."""
    note.parent.mkdir(parents=True, exist_ok=True)
    try:
        process = {} if pid is None else {"pid": pid, "began": psutil.Process(pid).create_time()}
    except psutil.NoSuchProcess:
        process = {}
    write_whole(note, json.dumps({"revision": revision, **process}))


def _end_with_parent() -> None:
    """Helm ends in order when dsdeploy is killed (prctl PR_SET_PDEATHSIG, Linux), so that the release is not stuck."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _environment() -> dict[str, str]:
    """The user's, without what would make Helm act elsewhere or say more than it must."""
    return {name: value for name, value in os.environ.items() if name not in ("HELM_NAMESPACE", "HELM_DEBUG")}


def _failed(said: str) -> InstallError:
    told = "\n".join(line for line in said.splitlines() if not _ASIDE.match(line))
    reason = told.strip().removeprefix("Error: ") or said.strip() or "?"
    if "another operation" in reason and "in progress" in reason:
        return HelmBusy(text("helm-busy"), hint=text("helm-busy-hint"))
    return InstallError(text("helm-failed", reason=reason), hint=text("helm-failed-hint"))
