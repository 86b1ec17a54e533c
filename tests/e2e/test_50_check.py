"""The proof itself, of the real engine with a real small model."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dsdeploy.core.values import Checked
from tests.program import run, run_json, wait_until

ROOT = {"runs-without-root"} if os.getuid() == 0 else set()
SUPERVISOR = Path(__file__).parents[2] / "dsdeploy/adapters/targets/process/supervisor.py"
SLOW = [
    word for id in ("first-token-in-time", "tokens-per-second", "concurrent-users-served") for word in ("--skip", id)
]


@pytest.fixture
def installed(home, plan):
    assert run("install", str(plan), "--home", str(home), "--yes").returncode == 0
    return home


def faulty(home, *words):
    document = run_json("check", "--home", str(home), *words)
    found = {one["id"] for one in document["data"]["findings"] if one["status"] in ("fail", "warn")}
    return document["exit_code"], found - ROOT


def test_a_healthy_service_is_proven_with_reports_that_hold_no_secret(installed, tmp_path):
    assert faulty(installed) == (0, set())
    key = (installed / "releases/default/secrets/api-keys").read_text().strip()
    for name, language, word in (
        ("r.html", "zh", "验收报告"),
        ("r.xml", "en", "<testsuite"),
        ("r.json", "en", "verdict"),
    ):
        r = run("--lang", language, "check", "--home", str(installed), "--report", str(tmp_path / name), *SLOW)
        content = (tmp_path / name).read_text()
        assert r.returncode == 0 and word in content and key not in content + r.stdout + r.stderr
    document = json.loads((tmp_path / "r.json").read_text())
    assert set(document["data"]) == set(Checked.__dataclass_fields__) and "✔" in r.stdout
    if ROOT:
        assert run("check", "--home", str(installed), "--only", "runs-without-root", "--strict").returncode == 4


def test_faults_of_the_real_engine_are_found(installed):
    for change, caught in (
        (("--alias", "another"), {"right-model-served"}),
        (("--ctx-size", "1024"), {"context-as-planned"}),
        (("--host", "0.0.0.0"), {"listens-only-where-planned"}),
    ):
        with altered(installed, *change):
            assert faulty(installed, *SLOW) == (3, caught), change


class altered:
    """The release's supervisor started anew over orders that someone has edited; stopped in the end."""

    def __init__(self, home, option, value):
        self.folder, self.option, self.value = home / "releases/default", option, value

    def __enter__(self):
        state = json.loads((self.folder / "run/state.json").read_text())
        if state["state"] == "running":
            os.kill(state["supervisor_pid"], 15)
            wait_until(lambda: not os.path.exists(f"/proc/{state['supervisor_pid']}"))
        self.before = (self.folder / "run/service.json").read_text()
        orders = json.loads(self.before)
        orders["argv"][orders["argv"].index(self.option) + 1] = self.value
        (self.folder / "run/service.json").write_text(json.dumps(orders))
        words = [sys.executable, "-I", str(SUPERVISOR), str(self.folder), "-"]
        self.keeper = subprocess.Popen(words)
        home = str(self.folder.parents[1])
        wait_until(lambda: run_json("status", "--home", home)["data"][0]["service"]["state"] == "running")

    def __exit__(self, *_):
        self.keeper.terminate()
        self.keeper.wait(30)
        (self.folder / "run/service.json").write_text(self.before)


def test_wrong_words_are_named_and_nothing_is_written(home, tmp_path):
    unknown = run_json("check", "--home", str(home), "--only", "api-need-key")
    assert unknown["exit_code"] == 2 and "api-needs-key" in unknown["errors"][0]["hint"]
    nothing = run_json("check", "--home", str(home))
    assert nothing["exit_code"] == 15 and nothing["errors"][0]["code"] == "NothingInstalled"
    r = run("check", "--home", str(home), "--report", str(tmp_path / "r.pdf"))
    assert r.returncode == 2 and not (tmp_path / "r.pdf").exists()
