"""The real engine, started with other orders than the plan's: its check finds each, and the edited file is told too."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.program import run, run_json, wait_until

ROOT = {"runs-without-root"} if os.getuid() == 0 else set()
SUPERVISOR = Path(__file__).parents[2] / "dsdeploy/adapters/targets/process/supervisor.py"
HERE = ROOT | {"clock-kept", "disk-reads-fast", "host-limits-wide"}  # what this machine is, no test can change
SLOW = ("--skip", "speed")


@pytest.fixture
def installed(home, plan):
    assert run("install", str(plan), "--home", str(home), "--yes").returncode == 0
    return home


def faulty(home, *words):
    document = run_json("check", "--home", str(home), *words)
    found = {one["id"] for one in document["data"]["findings"] if one["status"] in ("fail", "warn")}
    return document["exit_code"], found - HERE


def test_faults_of_the_real_engine_are_found(installed):
    for change, caught in (
        (("--alias", "another"), {"right-model-served"}),
        (("--ctx-size", "1024"), {"context-as-planned", "flags-as-planned"}),
        (("--host", "0.0.0.0"), {"listens-only-where-planned"}),
    ):
        with altered(installed, *change):
            assert faulty(installed, *SLOW) == (3, caught | {"configuration-unchanged"}), change


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
