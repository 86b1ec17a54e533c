"""Killed, crowded or broken at every step of an install: a second run completes it, and the error has a name."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from dsdeploy.stages.plan import load_plan
from tests.program import environment, run, run_json, wait_until


def test_a_taken_port_is_named_before_anything_is_written(home, plan):
    port = load_plan(plan).port
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        document = run_json("install", str(plan), "--home", str(home), "--yes")
    assert document["exit_code"] == 15 and str(port) in document["errors"][0]["message"]
    assert not (home / "releases").exists()


def fake_engine(folder, body):
    """Stands for an engine binary that is broken on this machine: none of the real ones is."""
    folder.mkdir()
    script = folder / "llama-server"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_an_engine_that_dies_at_once_is_shown_with_its_last_lines(home, plan, tmp_path):
    path = fake_engine(tmp_path / "bin", "echo this processor is too old >&2; exit 132")
    document = run_json("install", str(plan), "--home", str(home), "--yes", PATH=path)
    assert document["exit_code"] == 15 and document["errors"][0]["code"] == "EngineDied"
    assert "this processor is too old" in document["errors"][0]["message"]
    assert run_json("install", str(plan), "--home", str(home), "--yes")["status"] == "ok"


def test_an_engine_that_never_becomes_healthy_is_shown_with_its_last_lines(home, plan, tmp_path):
    path = fake_engine(tmp_path / "bin", "echo still loading; exec sleep 600")
    document = run_json("install", str(plan), "--home", str(home), "--yes", PATH=path, DSDEPLOY_START_S="2")
    assert document["errors"][0]["code"] == "EngineNotHealthy" and "still loading" in document["errors"][0]["message"]


def test_ctrl_c_ends_with_130_and_loses_nothing(home, plan, tmp_path):
    path = fake_engine(tmp_path / "bin", "exec sleep 600")
    words = ["install", str(plan), "--home", str(home), "--yes"]
    code = "from dsdeploy.cli.main import main; main()"
    running = subprocess.Popen([sys.executable, "-c", code, *words], env=environment(PATH=path), stderr=subprocess.PIPE)
    wait_until(lambda: (home / "releases/default/run/state.json").exists())
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 130 and b"Traceback" not in running.stderr.read()
    assert run_json(*words)["status"] == "ok"


def test_two_at_once_do_not_mix(home, plan, tmp_path):
    path = fake_engine(tmp_path / "bin", "exec sleep 600")
    words = ["install", str(plan), "--home", str(home), "--yes"]
    code = "from dsdeploy.cli.main import main; main()"
    first = subprocess.Popen([sys.executable, "-c", code, *words], env=environment(PATH=path))
    wait_until(lambda: (home / "releases/default/run/state.json").exists())
    document = run_json(*words)
    first.send_signal(signal.SIGINT)
    first.wait(30)
    assert document["errors"][0]["code"] == "Busy" and document["exit_code"] == 15


@pytest.mark.parametrize(
    "content", ["", "apiVersion: dsdeploy/v2\nkind: Plan\n", "apiVersion: dsdeploy/v1\nkind: Pl", "{"]
)
def test_a_half_written_or_foreign_plan_is_named(tmp_path, content):
    plan = tmp_path / "plan.yaml"
    plan.write_text(content)
    document = run_json("install", str(plan), "--home", str(tmp_path / "home"), "--yes")
    assert document["exit_code"] == 2 and document["errors"][0]["code"] == "PlanUnreadable"


def test_a_release_file_of_a_newer_version_is_named(home, plan):
    assert run("install", str(plan), "--home", str(home), "--yes").returncode == 0
    path = home / "releases/default/release.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "apiVersion": "dsdeploy/v9"}))
    document = run_json("status", "--home", str(home))
    assert document["errors"][0]["code"] == "ReleaseUnreadable" and "dsdeploy/v9" in document["errors"][0]["message"]
    path.write_text(json.dumps(content))


def test_ctrl_c_ends_a_check_and_an_uninstall_with_130(home, plan):
    assert run("install", str(plan), "--home", str(home), "--yes").returncode == 0
    code = "from dsdeploy.cli.main import main; main()"
    for words, codes in ((["check"], {130}), (["uninstall", "--yes"], {130, 0})):  # an uninstall may be done by then
        running = subprocess.Popen(
            [sys.executable, "-u", "-c", code, *words, "--home", str(home)], env=environment(), stderr=subprocess.PIPE
        )
        assert running.stderr.readline()
        running.send_signal(signal.SIGINT)
        said = running.stderr.read()
        assert running.wait(130) in codes and b"Traceback" not in said, said
    assert run("uninstall", "--home", str(home), "--yes").returncode in (0, 15)
    assert not list((home / "releases").iterdir())
