"""The collector on a machine with accelerators (recorded tools stand in for them), and answers that are wrong."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsdeploy.adapters.collector import Answer, NotCollected, collector_script, read_answers
from dsdeploy.adapters.collector.machine import _disks, read_machine
from dsdeploy.core.machines import Profile
from tests.program import run, run_json

T4 = Path(__file__).parents[1] / "machines" / "tesla-t4" / "nvidia.query.txt"
TOPOLOGY = "\\tGPU0\\tGPU1\\nGPU0\\t X \\tSYS\\nGPU1\\tSYS\\t X \\n"


def collect(tools: Path, script: str | None = None) -> str:
    words = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    return subprocess.run(
        ["sh"], input=script or collector_script(), env=words, capture_output=True, text=True, check=True
    ).stdout


def tool(place: Path, name: str, body: str) -> None:
    (place / name).write_text(f"#!/bin/sh\n{body}\n")
    (place / name).chmod(0o755)


def test_tools_are_asked_and_read_on_the_other_side(tmp_path):
    tool(tmp_path, "nvidia-smi", f'[ "$1" = topo ] && printf "{TOPOLOGY}" || cat {T4}')
    (tmp_path / "collected.txt").write_text(collect(tmp_path))
    found = run_json("profile", "--from", str(tmp_path / "collected.txt"))["data"]
    assert [one["name"] for one in found["accelerators"]] == ["Tesla T4"]
    assert found["links"] == [{"first": 0, "second": 1, "kind": "SYS", "medium": "system", "peer": None}]
    assert {"accelerator-driver", "accelerator-persistence", "accelerator-free"} <= {
        one["id"] for one in found["findings"]
    }


def test_a_saved_machine_is_judged_again_when_it_is_read(tmp_path):
    tool(tmp_path, "nvidia-smi", "echo 'NVIDIA-SMI has failed: no driver'; exit 9")
    (tmp_path / "c.txt").write_text(collect(tmp_path))
    saved = tmp_path / "host.json"
    r = run("--lang", "en", "profile", "--from", str(tmp_path / "c.txt"), "--save", str(saved))
    assert "NVIDIA-SMI has failed: no driver" in " ".join(r.stdout.split()) and '"findings"' not in saved.read_text()
    from dsdeploy.stages.profile import load_fleet, load_profile

    assert [one.id for one in load_profile(saved).findings] == ["accelerator-tool"]
    (machine,) = load_fleet(saved).machines
    assert (machine.name, machine.profile) == (load_profile(saved).hostname, load_profile(saved))


def test_a_tool_that_hangs_costs_its_time_and_nothing_else(tmp_path):
    tool(tmp_path, "npu-smi", "sleep 60")
    answers = read_answers(collect(tmp_path, collector_script().replace("'timeout 30'", "'timeout 1'")))
    assert answers["ascend.table"].exit_code == 124
    assert [one.tool for one in read_machine(answers).tool_faults] == ["npu-smi"]


def test_another_machines_words_steer_no_terminal():
    answers = read_answers("#dsdeploy-collected 1\n#hostname\n|\x1b[31mevil\x1b]0;title\x07\n=0\n#end\n")
    assert answers["hostname"].said == "evil]0;title"


def test_the_collector_runs_in_a_plain_posix_shell_and_names_no_secret(tmp_path):
    script = collector_script()
    assert subprocess.run(["dash", "-n"], input=script, text=True).returncode == 0
    assert not any(word in script for word in ("sudo", "curl", "wget", " rm ", "passw", "@TIMEOUT", "@COMM"))


@pytest.mark.parametrize(
    "words", ["", "hello", "#dsdeploy-collected 1\n#clock\n|1\n=0\n", "#dsdeploy-collected 1\n#end"]
)
def test_a_torn_or_foreign_file_is_named(tmp_path, words):
    (tmp_path / "c.txt").write_text(words)
    r = run("profile", "--from", str(tmp_path / "c.txt"))
    assert r.returncode == 10 and "ProfileUnreadable" in r.stderr and "Traceback" not in r.stderr


SOUND = read_answers(subprocess.run(["sh"], input=collector_script(), capture_output=True, text=True).stdout)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(SOUND)), st.one_of(st.text(), st.text("0123456789 -\n:kB,/")))
def test_any_one_answer_may_be_nonsense(name, said):
    try:
        profile = read_machine(SOUND | {name: Answer(said, 0)})
    except NotCollected:
        return
    assert isinstance(profile, Profile) and profile.memory_bytes >= 0 and json.dumps(profile.hostname)


def test_other_containers_roots_are_no_disks_and_ones_own_is():
    head = "Filesystem Type 1024-blocks Used Available Capacity Mounted on\n"
    theirs = "overlay overlay 1000 1 999 1% /var/lib/docker/overlay2/x/merged\n"
    own = "overlay overlay 1000 1 999 1% /\n"
    disk = "/dev/vda ext4 1000 1 999 1% /\n"
    assert [(one.path, one.filesystem) for one in _disks(head + theirs + disk)] == [("/", "ext4")]
    assert [(one.path, one.filesystem) for one in _disks(head + own + theirs)] == [("/", "overlay")]
