"""What runs in the loader pod, here as a process of its own: nothing of dsdeploy can be imported there."""

import json
import subprocess
import sys
from pathlib import Path

from dsdeploy.adapters.targets.kubernetes import receiver

PROGRAM = Path(receiver.__file__).read_text(encoding="utf-8")


def run(*words: str, sent: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-I", "-c", PROGRAM, *words], input=sent, capture_output=True, timeout=60)


def test_a_file_gets_its_name_only_when_it_is_whole_and_goes_on_where_it_was_cut_off(tmp_path):
    path = tmp_path / "folder" / "m.bin"
    r = run("take", str(path), "6", sent=b"abc")
    assert r.returncode == 1 and b"cut off with 3 bytes left" in r.stderr
    assert not path.exists()
    state = json.loads(run("look", str(tmp_path)).stdout)
    assert state["parts"] == {"folder/m.bin": 3} and state["held"] == {} and state["free"] > 0
    assert run("take", str(path), "6", sent=b"def and more").returncode == 0
    assert path.read_bytes() == b"abcdef"
    assert json.loads(run("look", str(tmp_path)).stdout)["held"] == {"folder/m.bin": 6}


def test_a_part_longer_than_the_file_starts_anew(tmp_path):
    (tmp_path / "m.bin.part").write_bytes(b"too long")
    assert run("take", str(tmp_path / "m.bin"), "3", sent=b"abc").returncode == 0
    assert (tmp_path / "m.bin").read_bytes() == b"abc"


def test_what_is_dropped_takes_its_stamp_along(tmp_path):
    for name in ("m.bin", ".dsdeploy-verified", "n.bin"):
        (tmp_path / name).write_bytes(b"x")
    assert run("drop", str(tmp_path / "m.bin")).returncode == 0
    assert [one.name for one in tmp_path.iterdir()] == ["n.bin"]


def test_a_disk_that_cannot_be_written_is_named_without_a_traceback(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    r = run("take", str(tmp_path / "file" / "m.bin"), "3", sent=b"abc")
    assert r.returncode == 1 and b"file" in r.stderr and b"Traceback" not in r.stderr


def test_a_folder_that_is_not_there_yet_tells_its_disks_room(tmp_path):
    state = json.loads(run("look", str(tmp_path / "a" / "b")).stdout)
    assert state["held"] == {} and state["free"] > 0
