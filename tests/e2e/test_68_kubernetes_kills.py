"""A release on a cluster, killed, crowded or without its API server at a change: the same command completes it."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.killing import complete_despite_kills
from tests.kube.service import SPACE, chat, key_of, plan_for
from tests.program import PROGRAM, environment, run, run_json, wait_until

pytestmark = pytest.mark.kubernetes
GATE = ("--only", "engine-healthy")
# These touch the release's folder alone, and are killed at on the other targets.
SPARED = ("create-key", "create-engine-key", "create-certificate", "write-file", "remove-folder")


@pytest.fixture
def place(cluster_home, tmp_path):
    """A home, what the site writes down, two plans that differ in their users, the environment of the least rights."""
    home, site, with_rights = cluster_home(tmp_path)
    yield home, site, (plan_for(home, users=2), plan_for(home, users=3)), with_rights
    run("uninstall", "--home", str(home), "--yes", **with_rights)


def standing(home, with_rights) -> tuple[int, int, str, str]:
    (found,) = run_json("status", "--home", str(home), **with_rights)["data"]
    release = found["release"]
    return release["revision"], release["users"], release["state"], found["service"]["state"]


def upgrade_words(home, plan) -> tuple[str, ...]:
    return ("upgrade", str(plan), "--home", str(home), "--yes", *GATE)


def start(*words: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, *words], env=environment(**more), stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def helm_status(site) -> str:
    told = site.kubectl("--namespace", SPACE, "get", "secrets", "--selector", "owner=helm", "--output", "json")
    newest = max(json.loads(told)["items"], key=lambda one: int(one["metadata"]["labels"]["version"]))
    return str(newest["metadata"]["labels"]["status"])


def knows_rights(rights: dict[str, str]) -> bool:
    """An API server that has just started refuses everybody until it has read its roles."""
    words = ("kubectl", "auth", "can-i", "list", "configmaps", "--namespace", SPACE)
    return subprocess.run(words, capture_output=True, env=environment(**rights), timeout=30).returncode == 0


def test_a_life_full_of_kills_on_a_cluster(site, place, tmp_path):
    home, words, plans, rights = place
    always, seen = ("--home", str(home), "--yes"), tmp_path / "seen"

    def kills(*command: str) -> list[str]:
        return complete_despite_kills(seen, *command, *always, spared=SPARED, **rights)

    installed = kills("install", str(plans[0]), "--site", str(words))
    assert standing(home, rights) == (1, 2, "installed", "running")
    key = key_of(home)
    upgraded = kills("upgrade", str(plans[1]), *GATE)
    assert standing(home, rights) == (2, 3, "installed", "running")
    back = kills("rollback", "--to", "1", *GATE)
    assert standing(home, rights) == (1, 2, "installed", "running")
    assert key_of(home) == key and chat(site, home, key)[0] == 200
    removed = kills("uninstall")
    assert run_json("status", "--home", str(home), **rights)["data"] == []
    wait_until(lambda: not site.api.list_namespaced_pod(SPACE).items, 120)
    for command, seen_at in (("install", installed), ("upgrade", upgraded), ("rollback", back)):
        assert {f"{command} before default helm-upgrade ", f"{command} after default helm-upgrade "} <= set(seen_at)
    assert {"uninstall after default helm-uninstall ", "uninstall after default delete-secrets "} <= set(removed)


@pytest.fixture
def installed(place):
    home, words, plans, rights = place
    r = run("install", str(plans[0]), "--site", str(words), "--home", str(home), "--yes", **rights)
    assert r.returncode == 0, r.stderr
    return home, plans[1], rights


def test_an_upgrade_killed_while_helm_waits_is_completed_by_the_next(site, installed):
    home, plan, rights = installed
    child = start(*upgrade_words(home, plan), **rights)
    wait_until(lambda: helm_status(site) == "pending-upgrade", 60)
    child.kill()
    child.wait()
    r = run(*upgrade_words(home, plan), **rights)
    assert r.returncode == 0, r.stderr
    assert standing(home, rights) == (2, 3, "installed", "running")
    assert chat(site, home, key_of(home))[0] == 200


def test_an_upgrade_outlives_its_api_server(site, installed):
    home, plan, rights = installed
    child = start(*upgrade_words(home, plan), **rights)
    wait_until(lambda: helm_status(site) == "pending-upgrade", 60)
    site.plane.kill("kube-apiserver")
    time.sleep(5)
    site.plane.start_api_server()
    said = child.communicate(timeout=240)[0]
    if child.returncode:
        assert "Traceback" not in said
        wait_until(lambda: knows_rights(rights))
        r = run(*upgrade_words(home, plan), **rights)
        assert r.returncode == 0, said + r.stderr
    assert standing(home, rights) == (2, 3, "installed", "running")


def moved_copy(home, other):
    """As a second administrator has it: the same releases, at a place of their own."""
    subprocess.run(["cp", "-al", str(home), str(other)], check=True)
    (other / "lock").unlink()
    for path in filter(Path.is_file, (other / "releases").rglob("*")):
        words = path.read_text()
        if str(home) in words:
            mode = path.stat().st_mode
            path.unlink()
            path.write_text(words.replace(str(home), str(other)))
            path.chmod(mode)
    return other


def test_two_upgrades_of_one_release_at_once(site, installed, tmp_path):
    """From two homes: only one Helm may work; the other is told so, and the first is not disturbed."""
    home, plan, rights = installed
    other = moved_copy(home, tmp_path / "other")
    child = start(*upgrade_words(home, plan), **rights)
    wait_until(lambda: helm_status(site) == "pending-upgrade", 60)
    r = run(*upgrade_words(other, plan), **rights)
    said = child.communicate(timeout=240)[0]
    assert r.returncode == 15 and "HelmBusy" in r.stderr, r.stderr
    assert child.returncode == 0, said
    assert standing(home, rights) == (2, 3, "installed", "running")
