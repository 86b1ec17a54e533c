"""The init container's two scripts, run for real: one image has only Python, another only a shell and sha256sum."""

import hashlib
import shutil
import subprocess
import sys

import pytest

from tests.chart.rendering import CHART

SCRIPTS = CHART / "files" / "weights"
STAMP = ".dsdeploy-verified"


@pytest.fixture(params=["python", "shell"])
def verify(request, tmp_path):
    """Runs the script over files with content; gives its exit code and what it said."""
    folder = tmp_path / "weights"
    (folder / "sub").mkdir(parents=True)
    for name, content in (("a.safetensors", b"first"), ("sub/b c.json", b"second")):
        (folder / name).write_bytes(content)
    manifest = tmp_path / "manifest"
    manifest.write_text("".join(
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()} {(folder / name).stat().st_size} {name}\n"
        for name in ("a.safetensors", "sub/b c.json")
    ))  # fmt: skip
    only = tmp_path / "bin"  # nothing else is on the path
    only.mkdir()
    for tool in ("sha256sum", "stat", "mv", "cat", "date"):
        (only / tool).symlink_to(shutil.which(tool))
    words = [sys.executable, "-I", "verify.py"] if request.param == "python" else ["/bin/sh", "verify.sh"]

    def run(policy="full", sample_bytes=1000):
        r = subprocess.run(
            [*words[:-1], str(SCRIPTS / words[-1]), policy, str(sample_bytes), str(manifest), str(folder)],
            capture_output=True, text=True, env={"PATH": str(only)},
        )  # fmt: skip
        return r.returncode, r.stdout + r.stderr

    run.folder = folder
    return run


@pytest.mark.parametrize("policy", ["full", "stamp", "sample"])
def test_whole_weights_pass(verify, policy):
    code, said = verify(policy)
    assert code == 0, said
    assert "sub/b c.json verified" in said


@pytest.mark.parametrize("policy", ["full", "stamp", "sample"])
def test_a_flipped_byte_stops_the_engine_and_is_named(verify, policy):
    (verify.folder / "sub/b c.json").write_bytes(b"secund")
    code, said = verify(policy)
    assert code == 1 and "sub/b c.json: SHA-256 differs from the manifest" in said
    assert not (verify.folder / STAMP).exists()


def test_a_short_or_missing_file_is_named_before_anything_is_hashed(verify):
    (verify.folder / "a.safetensors").write_bytes(b"firs")
    assert verify() == (1, "a.safetensors: 4 bytes instead of 5\n")
    (verify.folder / "a.safetensors").unlink()
    code, said = verify()
    assert code == 1 and said.lower().startswith("a.safetensors: no such file")


def test_a_stamp_spares_the_second_hashing_until_a_file_changes(verify):
    assert "verified" in verify("stamp")[1]
    assert "unchanged since they were verified" in verify("stamp")[1]
    other = verify.folder / "a.safetensors"
    other.write_bytes(b"f1rst")
    import os

    os.utime(other, (1, 1))
    code, said = verify("stamp")
    assert code == 1 and "a.safetensors: SHA-256 differs" in said


def test_a_forged_stamp_of_other_contents_is_no_stamp(verify):
    (verify.folder / STAMP).write_text("{}")
    code, said = verify("stamp")
    assert code == 0 and "a.safetensors verified" in said


def test_a_volume_that_takes_no_stamp_is_hashed_each_time(verify, monkeypatch):
    (verify.folder / STAMP).mkdir()  # a file cannot replace a folder, not even for root
    (verify.folder / STAMP / "x").touch()
    for _ in range(2):
        code, said = verify("stamp")
        assert code == 0 and "a.safetensors verified" in said


def test_a_sample_hashes_less_than_everything(verify):
    code, said = verify("sample", 6)
    assert code == 0 and said.count("verified") == 1
