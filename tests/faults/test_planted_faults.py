"""For every check a fault is planted; that check finds it, and no wrong one does."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from dsdeploy import workflows
from dsdeploy.adapters import health
from dsdeploy.adapters.releases import load_release, save_release
from dsdeploy.adapters.targets import find_target
from dsdeploy.core.layout import Layout
from dsdeploy.core.progress import SILENT
from dsdeploy.core.values import Disk, MemoryBudget, Profile, Release, Request, WeightFile, Weights
from dsdeploy.stages.check import CHECKS, Selection
from dsdeploy.stages.plan import choose_plan, save_plan
from tests.program import free_port, wait_until

SUPERVISOR = Path(__file__).parents[2] / "dsdeploy/adapters/targets/process/supervisor.py"
LIAR = Path(__file__).with_name("liar.py")
MODEL = "deepseek-r1-distill-qwen-1.5b"
ROOT = {"runs-without-root"} if os.getuid() == 0 else set()


class Site:
    """An installed release whose engine is the liar, kept by the real supervisor."""

    def __init__(self, home: Path, fault: str) -> None:
        self.layout = Layout(home)
        folder = home / "releases/default"
        (folder / "run").mkdir(parents=True)
        (folder / "secrets").mkdir(mode=0o700)
        self.keys, self.plan = folder / "secrets/api-keys", folder / "plan.yaml"
        self.keys.write_text("dsk-right-key\n")
        self.keys.chmod(0o600)
        self.weights = home / "model.gguf"
        self.weights.write_bytes(b"weights")
        files = (WeightFile("model.gguf", 7, hashlib.sha256(b"weights").hexdigest()),)
        memory = 64 * 2**30
        profile = Profile("h", "Linux", None, 4, 4, 1, memory, memory, (Disk("/", "ext4", memory, memory),), (), ())
        port = free_port()
        save_plan(choose_plan(Request(MODEL, 3, 256, port=port), profile), self.plan)
        save_release(
            Release(
                "default", "process", MODEL, "gguf", 256, 3, "127.0.0.1", port,
                hashlib.sha256(self.plan.read_bytes()).hexdigest(), str(folder),
                Weights(MODEL, "gguf", "directory", None, str(home), files), 1, "installed", "2026-01-01",
            )
        )  # fmt: skip
        argv = [sys.executable, str(LIAR), str(port), str(self.keys), MODEL, fault]
        (folder / "run/service.json").write_text(json.dumps({"argv": argv}))
        self.keeper = subprocess.Popen([sys.executable, "-I", str(SUPERVISOR), str(folder), "-"])
        wait_until(lambda: self.answers() or (fault == "unhealthy" and self.engine_pid() is not None))

    @property
    def release(self):
        return load_release(self.layout, None)

    def answers(self):
        return health.answers(self.release)

    def engine_pid(self):
        return find_target("process").observe(self.release).engine_pid

    def check(self, **selection):
        result = workflows.check(self.layout, None, Selection(**selection), None, "en", SILENT, strict=False)
        findings = {one.id: one.status for one in result.data.findings}
        assert "check-broke" not in findings, result.data.findings
        return result, findings

    def faulty(self, **selection):
        _, found = self.check(**selection)
        return {id for id, status in found.items() if status in ("fail", "warn")} - ROOT

    def close(self):
        self.keeper.terminate()
        self.keeper.wait(30)


@pytest.fixture
def site(tmp_path):
    sites = []

    def make(fault="none"):
        sites.append(Site(tmp_path, fault))
        return sites[-1]

    yield make
    for one in sites:
        one.close()


def test_an_honest_engine_passes_every_check(site):
    result, found = site().check()
    assert set(found) == {one.id for one in CHECKS}
    assert {id for id, status in found.items() if status != "pass"} == ROOT, result.data.findings
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("fault", "caught"),
    [
        ("unhealthy", {"engine-healthy"}),
        ("other-model", {"right-model-served"}),
        ("small-context", {"context-as-planned"}),
        ("asserts", {"engine-log-clean"}),
        ("empty", {"chat-answers"}),
        ("error-200", {"chat-answers"}),
        ("no-done", {"chat-streams"}),
        ("one-piece", {"chat-streams"}),
        ("english", {"chinese-answers"}),
        ("takes-long", {"over-long-input-refused"}),
        ("tires", {"first-token-in-time"}),
        ("one-user", {"concurrent-users-served"}),
        ("open", {"api-needs-key"}),
        ("any-key", {"wrong-key-refused"}),
        ("metrics", {"closed-paths"}),
        ("everywhere", {"listens-only-where-planned"}),
    ],
)
def test_a_fault_of_the_engine_is_found_by_its_check_and_by_no_wrong_one(site, fault, caught):
    assert site(fault).faulty() == caught


def test_faults_of_files_are_found_by_their_checks(site):
    one = site()
    quick = {"skip": ("first-token-in-time", "tokens-per-second", "concurrent-users-served")}
    one.keys.chmod(0o644)
    assert one.faulty(**quick) == {"keys-file-private"}
    one.keys.chmod(0o600)
    one.weights.write_bytes(b"weightz")
    assert one.faulty(**quick) == {"weights-unchanged"}
    one.weights.unlink()
    assert one.faulty(**quick) == {"weights-unchanged"}
    one.weights.write_bytes(b"weights")
    words = one.plan.read_text()
    one.plan.write_text(words + "# edited\n")
    assert one.faulty(**quick) == {"plan-unchanged"}
    one.plan.write_text("{{")
    assert one.faulty(**quick) == {"plan-unchanged"}
    one.plan.write_text(words)
    one.keys.unlink()
    assert one.faulty(**quick) == {"api-key-readable", "keys-file-private"}


def test_an_engine_beyond_its_memory_is_found(site):
    from dsdeploy.stages.plan import load_plan

    one = site()
    save_plan(replace(load_plan(one.plan), memory=MemoryBudget(1, 1, 1, 1, 1)), one.plan)
    assert one.faulty(only=("memory-as-planned",)) == {"memory-as-planned"}


def test_a_swapped_engine_is_found(site, monkeypatch):
    """Nothing swaps on order, so what the kernel would tell is made up here."""
    one = site()
    told = type("Told", (), {"swap": 4096})()
    monkeypatch.setattr(psutil.Process, "memory_full_info", lambda self: told)
    assert one.faulty(only=("engine-not-swapped",)) == {"engine-not-swapped"}


def test_a_restart_only_warns_and_a_dead_engine_fails_with_everything_else_not_judged(site):
    one = site()
    first = one.engine_pid()
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: one.engine_pid() not in (None, first) and one.answers())
    assert one.faulty(only=("engine-runs",)) == {"engine-runs"}
    one.close()
    result, found = one.check()
    assert {id for id, status in found.items() if status == "fail"} == {"engine-runs", "engine-healthy"}
    assert result.exit_code == 3 and found["chat-answers"] == found["api-needs-key"] == "skip"
    assert found["weights-unchanged"] == found["plan-unchanged"] == "pass"
    assert one.check(demote=("engine-runs", "engine-healthy"))[0].exit_code == 0
