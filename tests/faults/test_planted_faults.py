"""For every check a fault is planted; that check finds it, and no wrong one does."""

import json
import os
import signal
import time
from dataclasses import replace

import psutil
import pytest

from dsdeploy.adapters.digests import sha256_file
from dsdeploy.adapters.endpoint import Waits
from dsdeploy.adapters.releases import save_release
from dsdeploy.adapters.revisions import save_revision
from dsdeploy.core.band import Band
from dsdeploy.core.checks import group_of
from dsdeploy.core.values import (
    MemoryBudget,
    RenderedFile,
    RenderedFiles,
    WeightFile,
)
from dsdeploy.stages.check import CHECKS
from dsdeploy.stages.plan import save_plan
from tests.bundles import ground
from tests.faults.served import ANY_SPEED, HERE, MODEL, SLOW, Site
from tests.program import wait_until


@pytest.fixture
def site(tmp_path, monkeypatch):
    sites = []

    def make(fault="none", model=MODEL):
        sites.append(Site(tmp_path, fault, model))
        # no plan stands for the liar, so what its own renders to is told here
        monkeypatch.setattr("dsdeploy.workflows.steps.rendered_release", lambda *_: sites[-1].rendered)
        return sites[-1]

    yield make
    for one in sites:
        one.close()


def test_an_honest_engine_passes_every_check(site):
    result, found = site().check()
    assert set(found) == {one.id for one in CHECKS if not one.only_asked}
    assert {id for id, status in found.items() if status in ("fail", "warn")} <= HERE, result.data.findings
    elsewhere = {id for id, status in found.items() if status == "skip"}
    assert {group_of(id) for id in elsewhere} <= {"host", "network", "security", "integrity", "inference"}
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("fault", "caught"),
    [
        ("unhealthy", {"engine-healthy"}),
        ("other-model", {"right-model-served"}),
        ("small-context", {"context-as-planned"}),
        ("old-engine", {"engine-version-as-planned"}),
        ("other-flags", {"flags-as-planned"}),
        ("small-cache", {"kv-cache-as-predicted"}),
        ("asserts", {"engine-log-clean"}),
        ("telemetry", {"telemetry-off"}),
        ("reads-half", {"long-context-read"}),
        ("raw-thinking", {"reasoning-parsed"}),
        ("no-reasoning", {"reasoning-parsed"}),
        ("no-schema", {"json-schema-kept"}),
        ("no-json-mode", {"json-mode-kept"}),
        ("ignores-stop", {"stop-word-honoured"}),
        ("moody", {"answers-repeatable"}),
        ("wrong-answers", {"known-answers-right"}),
        ("repeats", {"no-endless-repetition"}),
        ("foreign", {"language-kept"}),
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
        ("logs-prompts", {"prompts-unlogged"}),
    ],
)
def test_a_fault_of_the_engine_is_found_by_its_check_and_by_no_wrong_one(site, fault, caught):
    assert site(fault).faulty() == caught


def test_a_silent_service_is_waited_for_once(site, monkeypatch):
    """All else that wants an answer of the model says what it lacks: each silence would last a minute."""
    monkeypatch.setattr("dsdeploy.adapters.chat.waits_for", lambda *_, **__: Waits(byte_s=1, total_s=2))
    one = site("silent")
    assert one.faulty(skip=()) == {"chat-answers"}
    log = "".join(path.read_text() for path in (one.keys.parents[1] / "run").glob("*.log*"))
    assert log.count("asked") == 1


def test_faults_of_files_are_found_by_their_checks(site):
    one = site()
    one.keys.chmod(0o644)
    assert one.faulty() == {"keys-file-private"}
    one.keys.chmod(0o600)
    one.weights.write_bytes(b"weightz")
    assert one.faulty() == {"weights-unchanged"}
    one.weights.unlink()
    assert one.faulty() == {"weights-unchanged"}
    one.weights.write_bytes(b"weights")
    words = one.plan.read_text()
    one.plan.write_text(words + "# edited\n")
    assert one.faulty() == {"plan-unchanged"}
    one.plan.write_text("{{")
    assert one.faulty() == {"plan-unchanged"}
    one.plan.write_text(words)
    one.keys.unlink()
    assert one.faulty() == {"api-key-readable", "keys-file-private"}


@pytest.mark.parametrize(
    ("fault", "caught"), [("no-tools", {"tool-call-works"}), ("broken-tools", {"tool-call-works"})]
)
def test_a_model_that_calls_tools_is_held_to_it(site, fault, caught):
    model = "deepseek-r1-0528"
    assert site(fault, model).faulty(skip=(*SLOW, "engine", "host")) == caught


def test_an_honest_model_calls_tools(site):
    one = site(model="deepseek-r1-0528")
    assert one.check(only=("tool-call-works",))[1] == {"tool-call-works": "pass"}


@pytest.mark.parametrize(
    ("check", "band"),
    [
        ("first-token-in-time", {"first_token_s": Band(0.0, 1e-6, 1e-5)}),
        ("tokens-per-second", {"tokens_per_s_per_user": Band(1e6, 1e7, 1e8)}),
        ("throughput-as-planned", {"output_tokens_per_s": Band(1e6, 1e7, 1e8)}),
    ],
)
def test_a_service_slower_than_its_plan_is_found(site, check, band):
    from dsdeploy.stages.plan import load_plan

    one = site()
    save_plan(replace(load_plan(one.plan), speed=replace(ANY_SPEED, **band)), one.plan)
    one.take_plan()
    assert one.faulty() == {check}


def test_edited_files_and_open_secrets_are_found(site):
    one = site()
    orders = one.plan.parent / "run/service.json"
    words = orders.read_text()
    orders.write_text(words + " ")
    assert one.faulty() == {"configuration-unchanged"}
    orders.write_text(words)
    other = one.keys.parent / "tls.key"
    other.write_text("-")
    other.chmod(0o640)
    assert one.faulty() == {"secrets-private"}


def test_files_edited_together_with_their_record_are_found_by_the_plan(site):
    one = site()
    orders = one.plan.parent / "run/service.json"
    edited = RenderedFile("run/service.json", orders.read_text() + " ")
    orders.write_text(edited.content)
    save_revision(one.release, RenderedFiles("process", (edited,)))
    assert one.faulty() == {"configuration-as-planned"}


def test_weights_and_plans_of_no_signed_bundle_are_found_where_bundles_are_used(site, tmp_path):
    one, made = site(), ground(tmp_path / "made")
    made.plan.write_bytes(one.plan.read_bytes())
    made.build()
    made.load(home=str(tmp_path))
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust/k.pub").write_bytes((made.folder / "k.pub").read_bytes())
    assert one.faulty() == {"weights-signed"}
    names = sorted((made.folder / "weights").glob("*.safetensors"))
    files = tuple(WeightFile(one.name, one.stat().st_size, sha256_file(one)) for one in names)
    weights = replace(one.release.weights, directory=str(made.weights), files=files)
    save_release(replace(one.release, weights=weights))
    found = one.check()[1]
    assert found["weights-signed"] == found["plan-signed"] == "pass" and one.faulty() == set()
    one.plan.write_text(one.plan.read_text() + "# edited\n")
    one.take_plan()
    assert one.faulty() == {"plan-signed"}
    (tmp_path / "trust/k.pub").unlink()
    assert one.faulty() == {"weights-signed"}  # of no bundle that anybody trusts; no plan is known then


@pytest.mark.parametrize(
    ("place", "value", "caught"),
    [
        ("dsdeploy.stages.check.host.read_uncached", lambda path, most: time.sleep(0.01) or 1000, "disk-reads-fast"),
        ("dsdeploy.stages.check.host.clock.is_synchronised", lambda: False, "clock-kept"),
        ("dsdeploy.stages.check.host._TASKS", 2**62, "kernel-limits-wide"),
        ("dsdeploy.stages.check.host._FREE_BYTES", 2**62, "disk-has-room"),
        ("dsdeploy.stages.check.host.os.getrandom", lambda size, flags: raising(BlockingIOError), "randomness-ready"),
        ("dsdeploy.stages.check.host.open_files_of", lambda pid: 64, "open-files-enough"),
    ],
)
def test_faults_of_the_machine_are_found(site, monkeypatch, place, value, caught):
    """No test can break this machine, so what the kernel would tell is made up here."""
    one = site()
    monkeypatch.setattr(place, value)
    found = one.check()[1]
    assert {id for id, status in found.items() if status in ("fail", "warn")} - (HERE - {caught}) == {caught}


def raising(error):
    raise error


def test_a_killed_engine_is_seen_to_return_and_one_that_does_not_is_found(site):
    one = site()
    assert one.check(also=("resilience",), skip=SLOW)[1]["engine-returns"] == "pass"
    (one.plan.parent / "run/service.json").write_text("not orders any more")
    os.kill(json.loads((one.plan.parent / "run/state.json").read_text())["supervisor_pid"], signal.SIGSTOP)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("dsdeploy.stages.check.resilience._RETURN_S", 2)
            assert one.check(only=("engine-returns",))[1] == {"engine-returns": "fail"}
    finally:
        one.keeper.send_signal(signal.SIGCONT)


def test_an_engine_beyond_its_memory_is_found(site):
    from dsdeploy.stages.plan import load_plan

    one = site()
    save_plan(replace(load_plan(one.plan), memory=MemoryBudget(1, 1, 1, 1, 1)), one.plan)
    one.take_plan()
    assert one.faulty() == {"memory-as-planned"}


def test_a_swapped_engine_is_found(site, monkeypatch):
    """Nothing swaps on order, so what the kernel would tell is made up here."""
    one = site()
    told = type("Told", (), {"swap": 4096})()
    monkeypatch.setattr(psutil.Process, "memory_full_info", lambda self: told)
    assert one.faulty() == {"engine-not-swapped"}


def test_a_restart_only_warns_and_a_dead_engine_fails_with_everything_else_not_judged(site):
    one = site()
    first = one.engine_pid()
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: one.engine_pid() not in (None, first) and one.answers())
    assert one.faulty() == {"engine-runs"}
    one.close()
    result, found = one.check()
    assert {id for id, status in found.items() if status == "fail"} == {"engine-runs", "engine-healthy"}
    assert result.exit_code == 3 and found["chat-answers"] == found["api-needs-key"] == "skip"
    assert found["weights-unchanged"] == found["plan-unchanged"] == "pass"
    assert one.check(demote=("engine-runs", "engine-healthy"))[0].exit_code == 0
