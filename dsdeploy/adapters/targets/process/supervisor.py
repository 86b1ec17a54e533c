"""Keeps one engine running: started by `install`, lives on without a terminal, starts the engine again when it dies.

It stands alone (standard library only). Its argument is a release's folder; what to run stands in `run/service.json`,
what happens in `run/state.json`. It gives up after five engines in a row that died within ten seconds.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

QUICK_S = 10
QUICK_DEATHS = 5
LONGEST_PAUSE_S = 30
TERM_S = 20
LOG_BYTES = 10_000_000
LOG_FILES = 50  # a log may take half a gigabyte in all
LOG_DAYS = 184  # where the orders say nothing; six months: Cybersecurity Law of the PRC, Article 21 of the 2017 text


class Supervisor:
    def __init__(self, run: Path) -> None:
        self.run = run
        orders = json.loads((run / "service.json").read_text())
        self.words: list[str] = orders["argv"]
        self.log_days: int = orders.get("log_days", LOG_DAYS)
        self.service_sha256 = sys.argv[2]
        self.restarts = 0
        self.engine: subprocess.Popen[bytes] | None = None
        self.stopping = False
        self.renewing = False

    def renew(self, number: int, frame: FrameType | None) -> None:
        """The engine ends and starts again because somebody asked; that is no restart to count."""
        self.renewing = True
        if self.engine is not None and self.engine.poll() is None:
            self.engine.terminate()

    def stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True
        if self.engine is not None and self.engine.poll() is None:
            self.engine.terminate()

    def tell(self, state: str, exit_code: int | None = None) -> None:
        content: dict[str, Any] = {
            "state": state,
            "supervisor_pid": os.getpid(),
            "engine_pid": self.engine.pid if self.engine is not None and self.engine.poll() is None else None,
            "restarts": self.restarts,
            "last_exit_code": exit_code,
            "service_sha256": self.service_sha256,
        }
        beside = self.run / "state.json.new"
        with contextlib.suppress(OSError):  # a full disk must not end an engine
            beside.write_text(json.dumps(content))
            os.replace(beside, self.run / "state.json")

    def start(self) -> subprocess.Popen[bytes]:
        log = self.run / "engine.log"
        keep_log_small(log, self.log_days)
        with log.open("ab") as sink:
            return subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, preexec_fn=_confine)

    def keep(self) -> int:
        quick = 0
        while not self.stopping:
            began = time.monotonic()
            self.engine = self.start()
            self.tell("running")
            code = self._wait()
            if self.stopping:
                break
            if self.renewing:
                self.renewing = False
                continue
            quick = quick + 1 if time.monotonic() - began < QUICK_S else 0
            if quick >= QUICK_DEATHS:
                self.tell("failed", code)
                return 1
            self.restarts += 1
            self.tell("restarting", code)
            _pause(min(2**quick - 1, LONGEST_PAUSE_S), lambda: self.stopping)
        self.tell("stopped")
        return 0

    def _wait(self) -> int:
        assert self.engine is not None
        asked: float | None = None
        while True:
            try:
                return self.engine.wait(timeout=1)
            except subprocess.TimeoutExpired:
                keep_log_small(self.run / "engine.log", self.log_days)
                if not self.stopping and not self.renewing:
                    continue
                asked = asked or time.monotonic()
                if time.monotonic() - asked > TERM_S:
                    self.engine.kill()


def keep_log_small(log: Path, days: int, now: float | None = None) -> None:
    """Sets a large log aside under a number, 1 the newest, and forgets what is too old or too much.

    An engine holds its log open, so what was said is copied away and the file cut to nothing; it appends and goes on.
    A full disk must not end an engine: then the log is cut all the same.
    """
    try:
        if log.stat().st_size <= LOG_BYTES:
            return
    except OSError:
        return
    kept = [log.with_name(f"{log.name}.{number}") for number in range(1, LOG_FILES)]
    oldest = (time.time() if now is None else now) - days * 86400
    for older, newer in zip(kept[:0:-1], kept[-2::-1], strict=True):
        with contextlib.suppress(OSError):
            os.replace(newer, older)
    with contextlib.suppress(OSError):
        shutil.copyfile(log, kept[0])
        os.chmod(kept[0], 0o600)
    for one in kept:
        with contextlib.suppress(OSError):
            if one.stat().st_mtime < oldest:
                one.unlink()
    with contextlib.suppress(OSError):
        os.truncate(log, 0)


def _pause(seconds: float, stopped: Any) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not stopped():
        time.sleep(0.1)


def _confine() -> None:
    """A killed supervisor must not leave an engine behind that holds the port; nor may an engine gain privileges.

    PR_SET_PDEATHSIG and PR_SET_NO_NEW_PRIVS of prctl(2), Linux.
    """
    kernel = ctypes.CDLL(None)
    kernel.prctl(1, signal.SIGKILL)
    kernel.prctl(38, 1, 0, 0, 0)


def main() -> int:
    run = Path(sys.argv[1]) / "run"
    lock = (run / "supervisor.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("another supervisor keeps this release", file=sys.stderr)
        return 1
    supervisor = Supervisor(run)
    signal.signal(signal.SIGTERM, supervisor.stop)
    signal.signal(signal.SIGINT, supervisor.stop)
    signal.signal(signal.SIGHUP, supervisor.renew)
    return supervisor.keep()


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
