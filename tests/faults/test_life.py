"""Upgrades and rollbacks, killed, crowded or refused at every step: what was good still runs, or runs again."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace

import pytest

from dsdeploy.core.values import MemoryBudget
from dsdeploy.stages.plan import load_plan, save_plan
from tests.program import environment, free_port, run, run_json, wait_until

LAST = 6  # five operations switch a service (two files, stop, start, wait), so there are six places to be killed at
GATE = ("--only", "engine-healthy", "--only", "context-as-planned")
DIE = """
import os, signal
from dsdeploy.adapters.targets import process
apply, count = process.ProcessTarget.apply, 0
def dying(self, operation, release, rendered):
    global count
    count += 1
    if count == {step}: os.kill(os.getpid(), signal.SIGKILL)
    apply(self, operation, release, rendered)
    if count + 1 == {step} == {last}: os.kill(os.getpid(), signal.SIGKILL)
process.ProcessTarget.apply = dying
from dsdeploy.cli.main import main
main()
"""


@pytest.fixture
def plans(home):
    """Two plans for one port, which differ in their context."""
    port = str(free_port())
    paths = [home / f"{context}.yaml" for context in (512, 1024)]
    for path in paths:
        words = ("--model", "smoke", "--users", "1", "--context", path.stem, "--port", port)
        assert run("plan", *words, "--out", str(path)).returncode == 0
    return paths


@pytest.fixture
def installed(home, plans):
    assert run("install", str(plans[0]), "--home", str(home), "--yes").returncode == 0
    return home


def status(home):
    (found,) = run_json("status", "--home", str(home))["data"]
    release = found["release"]
    return release["revision"], release["context_tokens"], release["state"], found["service"]["state"]


def killed(step, last, *words):
    """Before operation `step`; the last of all is killed after it instead."""
    code = DIE.format(step=step, last=last)
    return subprocess.run([sys.executable, "-c", code, *words], env=environment(), capture_output=True, text=True)


def upgrade_words(home, plan, *more):
    return ("upgrade", str(plan), "--home", str(home), "--yes", *GATE, *more)


def test_an_upgrade_tries_beside_and_a_rollback_puts_the_old_one_back(installed, plans):
    key = (installed / "releases/default/secrets/api-keys").read_text()
    shown = run_json(*upgrade_words(installed, plans[1], "--dry-run"))
    assert shown["data"]["mode"] == "beside" and status(installed) == (1, 512, "installed", "running")
    done = run_json(*upgrade_words(installed, plans[1]))
    assert done["data"]["changed"] and done["exit_code"] == 0, done
    assert status(installed) == (2, 1024, "installed", "running")
    assert run_json(*upgrade_words(installed, plans[1]))["data"]["changed"] is False
    back = run_json("rollback", "--home", str(installed), "--yes", *GATE)
    assert back["data"]["changed"] and status(installed) == (1, 512, "installed", "running")
    none = run_json("rollback", "--home", str(installed), "--yes", *GATE)
    assert none["errors"][0]["code"] == "NoSuchRevision"
    forward = run_json("rollback", "--home", str(installed), "--to", "2", "--yes", *GATE)
    assert forward["data"]["changed"] and status(installed) == (2, 1024, "installed", "running")
    assert (installed / "releases/default/secrets/api-keys").read_text() == key
    assert [one.name for one in (installed / "releases").iterdir()] == ["default"]


@pytest.mark.parametrize("mode", ["beside", "in-place"])
def test_a_new_revision_that_does_not_pass_leaves_the_old_one(installed, plans, mode):
    """The new plan promises an engine of a few bytes, which no engine keeps."""
    save_plan(replace(load_plan(plans[1]), memory=MemoryBudget(1, 1, 1, 1, 1)), plans[1])
    gate = ("--only", "engine-healthy", "--only", "memory-as-planned")
    words = ("upgrade", str(plans[1]), "--home", str(installed), "--yes", "--mode", mode, *gate)
    document = run_json(*words)
    assert document["exit_code"] == 3 and document["data"]["restored"], document
    assert status(installed) == (1, 512, "installed", "running")
    assert [one.name for one in (installed / "releases").iterdir()] == ["default"]


@pytest.mark.parametrize("step", range(1, LAST + 1))
def test_an_upgrade_in_place_killed_at_any_operation_can_go_back(installed, plans, step):
    words = upgrade_words(installed, plans[1], "--mode", "in-place")
    assert killed(step, LAST, *words).returncode == -signal.SIGKILL
    begun = run_json("install", str(plans[1]), "--home", str(installed), "--yes")
    assert begun["errors"][0]["code"] == "UpgradeBegun"
    back = run_json("rollback", "--home", str(installed), "--yes", *GATE)
    assert back["exit_code"] == 0 and status(installed) == (1, 512, "installed", "running"), back


def test_a_candidate_left_by_a_killed_upgrade_goes_with_an_uninstall(installed, plans):
    assert killed(7, None, *upgrade_words(installed, plans[1], "--mode", "beside")).returncode == -signal.SIGKILL
    assert (installed / "releases/default-next").is_dir()
    assert run("uninstall", "--home", str(installed), "--yes").returncode == 0
    assert list((installed / "releases").iterdir()) == []


def test_what_cannot_be_is_refused_before_anything_changes(installed, plans):
    compose = installed / "compose.yaml"
    words = ("--model", "smoke", "--users", "1", "--target", "compose", "--port", str(free_port()))
    assert run("plan", *words, "--out", str(compose)).returncode == 0
    for more, code in (((str(compose),), "UpgradeRefused"), ((str(plans[1]), "--mode", "sideways"), "InvalidRequest")):
        document = run_json("upgrade", *more, "--home", str(installed), "--yes")
        assert document["errors"][0]["code"] == code, document
    revision = installed / "releases/default/revisions/1.json"
    kept = revision.read_text()
    revision.write_text(kept.replace("dsdeploy/v1", "dsdeploy/v9"))
    document = run_json(*upgrade_words(installed, plans[1]))
    assert document["errors"][0]["code"] == "RevisionUnreadable" and "dsdeploy/v9" in document["errors"][0]["message"]
    assert status(installed) == (1, 512, "installed", "running")


def test_two_commands_at_once_do_not_mix(installed, plans):
    words = upgrade_words(installed, plans[1])
    code = "from dsdeploy.cli.main import main; main()"
    first = subprocess.Popen([sys.executable, "-c", code, *words], env=environment(), stderr=subprocess.PIPE)
    wait_until(lambda: (installed / "releases/default-next").exists())
    for other in (
        words,
        ("rollback", "--home", str(installed), "--yes"),
        ("uninstall", "--home", str(installed), "--yes"),
    ):
        assert run_json(*other)["errors"][0]["code"] == "Busy"
    assert first.wait(120) == 0 and status(installed) == (2, 1024, "installed", "running")


def test_a_clock_that_jumped_back_puts_nothing_out_of_order(installed, plans):
    """Revisions go by number: a release from the future is upgraded and put back as any other."""
    for path in ("release.json", "revisions/1.json"):
        file = installed / "releases/default" / path
        file.write_text(file.read_text().replace('"installed_at": "20', '"installed_at": "29'))
    assert run_json(*upgrade_words(installed, plans[1], "--mode", "in-place"))["exit_code"] == 0
    assert run_json("rollback", "--home", str(installed), "--yes", *GATE)["exit_code"] == 0
    assert status(installed) == (1, 512, "installed", "running")


def test_metrics_are_written_and_shown_on_loopback_only(installed):
    out = installed / "dsdeploy.prom"
    words = ("watch", "--home", str(installed), "--only", "engine-healthy", "--once")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert (
            run_json(*words, "--listen", f"127.0.0.1:{taken.getsockname()[1]}")["errors"][0]["code"] == "ListenRefused"
        )
    assert run_json(*words, "--listen", "0.0.0.0:9464")["errors"][0]["code"] == "ListenRefused"
    assert run_json(*words)["errors"][0]["code"] == "InvalidRequest"
    assert run_json(*words, "--out", str(out))["exit_code"] == 0
    assert 'dsdeploy_check_status{release="default",check="engine-healthy",group="engine",status="pass"} 1' in (
        out.read_text()
    )


def test_who_holds_the_lock_is_named_and_a_lock_of_the_dead_is_none(installed, plans):
    code = "from dsdeploy.cli.main import main; main()"
    words = upgrade_words(installed, plans[1])
    first = subprocess.Popen([sys.executable, "-c", code, *words], env=environment(), stderr=subprocess.DEVNULL)
    wait_until(lambda: (installed / "releases/default-next").exists())
    first.send_signal(signal.SIGSTOP)  # however long the others take
    others = (
        ("rollback", "--yes"), ("uninstall", "--yes"), ("install", str(plans[0]), "--yes"),
        ("keys", "create", "second", "--yes"),
    )  # fmt: skip
    for other in others:
        error = run_json(*other, "--home", str(installed))["errors"][0]
        assert error["code"] == "Busy" and "dsdeploy upgrade" in error["message"], error
        assert str(first.pid) in error["message"]
    first.kill()
    first.wait()
    assert str(first.pid) in (installed / "lock").read_text()
    assert run_json(*words)["data"]["changed"] and status(installed) == (2, 1024, "installed", "running")


def test_a_release_from_before_revisions_were_kept_is_upgraded_and_put_back(installed, plans):
    shutil.rmtree(installed / "releases/default/revisions")
    assert run_json(*upgrade_words(installed, plans[1], "--dry-run"))["exit_code"] == 0
    assert not (installed / "releases/default/revisions").exists()
    done = run_json(*upgrade_words(installed, plans[1], "--mode", "in-place"))
    assert done["data"]["changed"] and status(installed) == (2, 1024, "installed", "running"), done
    back = run_json("rollback", "--home", str(installed), "--yes", *GATE)
    assert back["exit_code"] == 0 and status(installed) == (1, 512, "installed", "running"), back


@pytest.mark.parametrize("file", ["release.json", "revisions/1.json"])
@pytest.mark.parametrize(
    "content", ["", '{"apiVersion": "dsdeploy/v1", "kind": "Rel', "null", '{"apiVersion": "x/v9"}']
)
def test_a_state_file_that_is_cut_or_foreign_is_named_and_left_alone(installed, plans, file, content):
    path = installed / "releases/default" / file
    whole = path.read_text()
    path.write_text(content)
    document = run_json(*upgrade_words(installed, plans[1]))
    assert document["exit_code"] == 15 and path.read_text() == content
    assert document["errors"][0]["code"] == ("ReleaseUnreadable" if file == "release.json" else "RevisionUnreadable")
    assert str(path) in document["errors"][0]["message"]
    path.write_text(whole)
    assert status(installed) == (1, 512, "installed", "running")


def test_a_damaged_release_file_is_mended_as_its_error_says(installed):
    """Moved away, then installed from the plan beside it: nothing restarts, keys stay, revisions go on by number."""
    folder = installed / "releases/default"
    before = run_json("status", "--home", str(installed))["data"][0]["service"]["engine_pid"]
    (folder / "release.json").write_text("")
    assert "plan.yaml" in run_json("status", "--home", str(installed))["errors"][0]["hint"]
    (folder / "release.json").rename(folder / "release.json.damaged")
    assert run_json("install", str(folder / "plan.yaml"), "--home", str(installed), "--yes")["exit_code"] == 0
    assert status(installed) == (2, 512, "installed", "running")
    assert run_json("status", "--home", str(installed))["data"][0]["service"]["engine_pid"] == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_is_named_and_loses_nothing(fetched, tmp_path, plans):
    """Weights lie elsewhere; the disk of the releases is full before an install, and before an upgrade."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(small)], check=True)
    ballast, words = small / "ballast", ("--home", str(small), "--yes")
    try:
        (small / "weights").symlink_to(fetched / "weights")
        fill(ballast)
        refused = run_json("install", str(plans[0]), *words)
        assert refused["errors"][0]["code"] == "InstallError" and "No space left" in refused["errors"][0]["message"]
        assert "磁盘空间不足" in run("install", str(plans[0]), *words, "--lang", "zh").stderr
        ballast.unlink()
        assert run_json("install", str(plans[0]), *words)["exit_code"] == 0
        fill(ballast)
        refused = run_json(*upgrade_words(small, plans[1], "--mode", "in-place"))
        assert refused["exit_code"] == 15 and "No space left" in refused["errors"][0]["message"], refused
        assert status(small) == (1, 512, "installed", "running")
        engine = run_json("status", "--home", str(small))["data"][0]["service"]["engine_pid"]
        os.kill(engine, signal.SIGKILL)
        wait_until(lambda: not os.path.exists(f"/proc/{engine}") and status(small)[3] == "running")
        ballast.unlink()
        assert run_json(*upgrade_words(small, plans[1], "--mode", "in-place"))["data"]["changed"]
        fill(ballast)
        assert run_json("uninstall", *words)["exit_code"] == 0 and not list((small / "releases").iterdir())
    finally:
        run("uninstall", *words)
        subprocess.run(["umount", "--lazy", str(small)], check=True)


def fill(ballast):
    with open(ballast, "wb", buffering=0) as file:
        try:
            while file.write(bytes(1024)):
                pass
        except OSError:
            return
