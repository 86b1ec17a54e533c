"""kill -9 before and after every change of install, upgrade, rollback and uninstall: the same command completes it."""

from pathlib import Path

import pytest

from tests.faults.killing import complete_despite_kills, inodes
from tests.program import free_port, run, run_json

GATE = ("--only", "engine-healthy")
COMPOSE = pytest.param("compose", marks=[pytest.mark.docker, pytest.mark.haproxy])


@pytest.fixture
def engine_room(request):
    """A Docker Engine where the target needs one."""
    if request.getfixturevalue("target") == "compose":
        request.getfixturevalue("docker_engine")


@pytest.fixture
def plans(home, target) -> list[Path]:
    """Two plans for one port, which differ in their context."""
    port, paths = str(free_port()), [home / f"{context}.yaml" for context in (512, 1024)]
    for path in paths:
        words = ("--model", "smoke", "--users", "1", "--context", path.stem, "--port", port, "--target", target)
        assert run("plan", *words, "--out", str(path)).returncode == 0
    return paths


def standing(home: Path) -> tuple[int, int, str, str]:
    (found,) = run_json("status", "--home", str(home))["data"]
    release = found["release"]
    return release["revision"], release["context_tokens"], release["state"], found["service"]["state"]


@pytest.mark.parametrize("target", ["process", COMPOSE])
def test_a_life_full_of_kills_ends_as_a_quiet_one_does(home, engine_room, plans, target, tmp_path):
    """One life: every change of every command is killed at twice, and nothing is set up twice."""
    always, seen = ("--home", str(home), "--yes"), tmp_path / "seen"
    named = ("--name", f"life-{target}")
    weights = inodes(home / "weights")
    key = home / f"releases/life-{target}/secrets/api-keys"

    installed = complete_despite_kills(seen, "install", str(plans[0]), *named, *always)
    assert standing(home) == (1, 512, "installed", "running")
    kept = key.read_text()

    upgraded = complete_despite_kills(seen, "upgrade", str(plans[1]), "--mode", "in-place", *GATE, *always)
    assert standing(home) == (2, 1024, "installed", "running")

    back = complete_despite_kills(seen, "rollback", "--to", "1", *GATE, *always)
    assert standing(home) == (1, 512, "installed", "running")

    beside = complete_despite_kills(seen, "upgrade", str(plans[1]), "--mode", "beside", *GATE, *always)
    assert standing(home)[1:] == (1024, "installed", "running")
    assert [one.name for one in (home / "releases").iterdir()] == [f"life-{target}"]
    assert key.read_text() == kept

    removed = complete_despite_kills(seen, "uninstall", *always)
    assert list((home / "releases").iterdir()) == [] and run_json("status", "--home", str(home))["data"] == []
    assert inodes(home / "weights") == weights
    commands = ("install", "upgrade", "rollback", "uninstall")
    for command, kills in zip(commands, (installed, upgraded, back, removed), strict=True):
        assert {one.split()[0] for one in kills} == {command} and len(kills) > 3, kills
    assert any(one.startswith(f"upgrade after life-{target}-next ") for one in beside)
