"""A Docker Engine that stops and starts again, as at a reboot: one of the test's own, in a network of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.docker,
    pytest.mark.haproxy,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can start a Docker Engine in a network of its own"),
]

STORY = """
import json, os, subprocess, sys, time
from pathlib import Path
from tests.program import ask, environment, free_port, run, wait_until

home, base = Path(sys.argv[1]), Path(sys.argv[2])
os.environ["DOCKER_HOST"] = f"unix://{base}/docker.sock"
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

def start():
    words = ["dockerd", "--data-root", base / "data", "--exec-root", base / "exec", "--pidfile", base / "pid",
             "--host", os.environ["DOCKER_HOST"], "--containerd-namespace", "dsdeploy-reboot",
             "--containerd-plugins-namespace", "dsdeploy-reboot-plugins"]
    daemon = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    wait_until(lambda: subprocess.run(["docker", "info"], capture_output=True).returncode == 0, 90)
    return daemon

def stop(daemon):
    daemon.terminate()
    daemon.wait(timeout=120)

log = (base / "log").open("a")
daemon = start()
try:
    plan = home / "plan.yaml"
    words = ("--model", "smoke", "--users", "2", "--port", str(free_port()), "--target", "compose")
    assert run("plan", *words, "--out", str(plan)).returncode == 0
    r = run("install", str(plan), "--home", str(home), "--name", "reboot", "--yes")
    assert r.returncode == 0, r.stderr
    folder = home / "releases/reboot"
    told = json.loads((folder / "release.json").read_text())
    url, key = f"https://127.0.0.1:{told['port']}/v1/models", (folder / "secrets/api-keys").read_text().strip()
    answers = lambda: ask(url, key, authority=folder / "secrets/ca/ca.crt")[0]
    assert answers() == 200
    stop(daemon)
    try:
        answers()
        raise SystemExit("it answers without a Docker Engine")
    except OSError:
        pass
    daemon = start()
    def again():
        try:
            return answers() == 200
        except OSError:
            return False
    wait_until(again, 120)
    print("it came back")
    assert run("uninstall", "--home", str(home), "--yes").returncode == 0
finally:
    stop(daemon)
"""


@pytest.fixture
def base():
    """Short, since a socket's path may have 107 characters; on a disk, since overlays do not stack."""
    folder = Path("/var/tmp") / f"dsd-{os.getpid()}"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_the_service_comes_back_by_itself(fetched, base, tmp_path):
    shutil.copytree(fetched / "weights", tmp_path / "weights")
    story = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", STORY, tmp_path, base],
        capture_output=True, text=True, timeout=550, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert "it came back" in story.stdout, story.stdout + story.stderr + (base / "log").read_text()[-3000:]
    assert story.returncode == 0, story.stderr
