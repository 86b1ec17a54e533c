"""The process target, with the real engine and a real small model."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import dsdeploy
from tests.program import PROGRAM, ask, run, run_json, wait_until


def service(home):
    return run_json("status", "--home", str(home))["data"][0]["service"]


def test_a_plan_becomes_a_service_that_answers_only_with_its_key(home, plan):
    first = run_json("install", str(plan), "--home", str(home), "--yes")
    assert first["status"] == "ok" and first["data"]["changed"], first
    again = run_json("install", str(plan), "--home", str(home), "--yes")
    assert again["data"]["changed"] is False and again["data"]["operations"] == []

    release = first["data"]["release"]
    url = f"http://127.0.0.1:{release['port']}/v1/chat/completions"
    keys = home / "releases/default/secrets/api-keys"
    key = keys.read_text().strip()
    question = {"messages": [{"role": "user", "content": "Say hi"}], "max_tokens": 8}
    assert ask(url, None, question)[0] == ask(url, "wrong", question)[0] == 401
    status, answer = ask(url, key, question)
    assert status == 200 and json.loads(answer)["model"] == "smoke"
    assert keys.stat().st_mode & 0o777 == 0o600 and keys.parent.stat().st_mode & 0o777 == 0o700
    written = [p for p in home.rglob("*") if p.is_file() and p.stat().st_size < 1_000_000 and p != keys]
    assert all(key not in p.read_text(errors="replace") for p in written)

    r = run("uninstall", "--home", str(home), "--yes")
    assert r.returncode == 0, r.stderr
    assert list((home / "releases").iterdir()) == [] and list((home / "weights").rglob("*.gguf"))
    assert ask_refused(url)


def ask_refused(url):
    try:
        ask(url)
    except OSError:
        return True
    return False


def test_a_program_that_was_installed_anew_elsewhere_stops_what_it_began_before(home, plan, tmp_path):
    assert run("install", str(plan), "--home", str(home), "--yes").returncode == 0
    engine = service(home)["engine_pid"]
    shutil.copytree(Path(dsdeploy.__file__).parent, tmp_path / "elsewhere/dsdeploy")
    words = [*PROGRAM, "uninstall", "--home", str(home), "--yes"]
    other = {**os.environ, "PYTHONPATH": str(tmp_path / "elsewhere")}
    r = subprocess.run(words, env=other, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert r.returncode == 0, r.stderr
    assert not os.path.exists(f"/proc/{engine}")


def test_a_killed_engine_comes_back_and_a_killed_supervisor_is_repaired(home, plan):
    assert run("install", str(plan), "--home", str(home), "--yes").returncode == 0
    before = service(home)
    os.kill(before["engine_pid"], signal.SIGKILL)
    wait_until(lambda: service(home)["engine_pid"] not in (None, before["engine_pid"]))
    wait_until(lambda: service(home)["state"] == "running")
    assert service(home)["restarts"] == 1
    assert "srv" in run("logs", "--home", str(home)).stdout
    for absent in (("--part", "gateway"), ("--since", "1h")):
        assert run_json("logs", "--home", str(home), *absent)["errors"][0]["code"] == "InvalidRequest"

    engine = service(home)["engine_pid"]
    supervisor = json.loads((home / "releases/default/run/state.json").read_text())["supervisor_pid"]
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: service(home)["state"] == "stopped")
    wait_until(lambda: not os.path.exists(f"/proc/{engine}"))
    assert run_json("install", str(plan), "--home", str(home), "--yes")["data"]["changed"]
    assert service(home)["state"] == "running"


def test_a_changed_plan_replaces_the_service(home, plan, tmp_path):
    assert run("install", str(plan), "--home", str(home), "--yes").returncode == 0
    port = run_json("status", "--home", str(home))["data"][0]["release"]["port"]
    wider = tmp_path / "wider.yaml"
    run("plan", "--model", "smoke", "--context", "2048", "--port", str(port), "--out", str(wider))
    done = run_json("install", str(wider), "--home", str(home), "--yes")
    assert done["data"]["changed"] and done["data"]["release"]["revision"] == 2, done
    orders = json.loads((home / "releases/default/run/service.json").read_text())
    assert "--ctx-size" in (words := orders["argv"]) and orders["log_days"] == 184
    assert words[words.index("--ctx-size") + 1] == "2048" and service(home)["state"] == "running"


def test_nothing_changes_without_consent(home, plan):
    dry = run_json("install", str(plan), "--home", str(home), "--dry-run")
    assert dry["data"]["changed"] is False and len(dry["data"]["operations"]) > 3
    r = run("install", str(plan), "--home", str(home))
    assert r.returncode == 2 and "--yes" in r.stderr
    assert not (home / "releases").exists()
