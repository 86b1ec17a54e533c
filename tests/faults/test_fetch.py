"""The network, the disk and the file itself at fault: each has a name, and a second run loses nothing."""

import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys

import pytest

from tests.fakes.hub import COMMIT, FakeHub
from tests.program import environment, run, run_json, wait_until

REPO = "bartowski/DeepSeek-R1-Distill-Qwen-1.5B-GGUF"
NAME = "DeepSeek-R1-Distill-Qwen-1.5B-Q4_K_M.gguf"
SENT_INTO_THE_VOID = 4 * 2**18  # what the hub still counts on each connection when its client is dead
CODE = "from dsdeploy.cli.main import main; main()"


def gguf(size: int) -> bytes:
    """The smallest sound header, then noise."""
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 0) + random.Random(size).randbytes(size)


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """The real plan of the smallest distill, with the format named so that one file of the hub matches."""
    path = tmp_path_factory.mktemp("plan") / "plan.yaml"
    assert run("plan", "--model", "deepseek-r1-distill-qwen-1.5b", "--out", str(path)).returncode == 0
    lines = [
        f"weights_pattern: '{NAME}'" if line.startswith("weights_pattern:") else line
        for line in path.read_text().splitlines()
    ]
    path.write_text("\n".join(lines))
    return path


def fetch(plan, home, hub, **more):
    return run_json("fetch", str(plan), "--home", str(home), "--yes", "--endpoint", hub.url, **more)


def weights(home):
    return next(home.rglob("*.gguf")).read_bytes()


def test_a_hub_is_fetched_pinned_and_verified_and_a_second_run_fetches_nothing(plan, tmp_path):
    data = gguf(300_000)
    with FakeHub(REPO, {NAME: data, "other-Q8_0.gguf": gguf(10)}, token="secret-token") as hub:
        refused = fetch(plan, tmp_path, hub)
        assert refused["errors"][0]["code"] == "HubRefused" and refused["exit_code"] == 12
        done = fetch(plan, tmp_path, hub, HF_TOKEN="secret-token")
        assert done["data"]["weights"]["revision"] == COMMIT and weights(tmp_path) == data
        served = hub.served
        assert fetch(plan, tmp_path, hub)["data"]["operations"] == [] and hub.served == served
    kept = [p.read_text(errors="replace") for p in tmp_path.rglob("*") if p.is_file()]
    assert not any("secret-token" in one for one in kept)


@pytest.mark.parametrize(
    ("status", "code"), [(401, "HubRefused"), (403, "HubRefused"), (404, "WeightsNotFound"), (500, "HubRefused")]
)
def test_a_hub_that_refuses_is_named(plan, tmp_path, status, code):
    with FakeHub(REPO, {NAME: gguf(10)}, status=status) as hub:
        document = fetch(plan, tmp_path, hub)
    assert document["exit_code"] == 12 and document["errors"][0]["code"] == code, document


def test_no_hub_at_all_is_named(plan, tmp_path):
    document = run_json("fetch", str(plan), "--home", str(tmp_path), "--yes", "--endpoint", "http://127.0.0.1:9")
    assert document["exit_code"] == 12 and document["errors"][0]["code"] == "HubUnreachable"


def test_a_hub_that_stops_in_the_middle_is_gone_on_from(plan, tmp_path):
    data = gguf(30_000_000)
    with FakeHub(REPO, {NAME: data}, stop_after=25_000_000) as hub:
        document = fetch(plan, tmp_path, hub)
        assert document["errors"][0]["code"] == "HubUnreachable", document
        hub.stop_after = None
        assert fetch(plan, tmp_path, hub)["status"] == "ok"
        assert weights(tmp_path) == data and len(hub.ranges) > 2


# A kill costs a piece of 8 MiB on each connection, so the file is larger than four
def test_killed_in_the_middle_only_the_rest_is_fetched(plan, tmp_path):
    data = gguf(120_000_000)
    words = ["fetch", str(plan), "--home", str(tmp_path), "--yes"]
    with FakeHub(REPO, {NAME: data}, block_pause_s=0.01) as hub:
        running = subprocess.Popen([sys.executable, "-c", CODE, *words, "--endpoint", hub.url], env=environment())
        wait_until(lambda: any(len(p.read_text().split()) >= 4 for p in tmp_path.rglob("*.done")))
        running.send_signal(signal.SIGKILL)
        running.wait()
        hub.block_pause_s, served = 0, hub.served
        assert fetch(plan, tmp_path, hub)["status"] == "ok"
        assert weights(tmp_path) == data and hub.served - served < len(data) - 4 * 2**23 + SENT_INTO_THE_VOID
        assert not list(tmp_path.rglob("*.done"))


def test_ctrl_c_ends_with_130(plan, tmp_path):
    words = ["fetch", str(plan), "--home", str(tmp_path), "--yes"]
    with FakeHub(REPO, {NAME: gguf(6_000_000)}, block_pause_s=0.05) as hub:
        running = subprocess.Popen(
            [sys.executable, "-c", CODE, *words, "--endpoint", hub.url], env=environment(), stderr=subprocess.PIPE
        )
        wait_until(lambda: any(tmp_path.rglob("*.partial")))
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130 and b"Traceback" not in running.stderr.read()


def test_a_flipped_byte_is_found_and_only_that_file_fetched_again(plan, tmp_path):
    data = gguf(300_000)
    with FakeHub(REPO, {NAME: data}, flip=True) as hub:
        document = fetch(plan, tmp_path, hub)
        assert document["errors"][0]["code"] == "DigestMismatch" and NAME in document["errors"][0]["message"]
        assert not list(tmp_path.rglob("*.gguf"))
        hub.flip = False
        assert fetch(plan, tmp_path, hub)["status"] == "ok"
        path = next(tmp_path.rglob("*.gguf"))
        path.write_bytes(data[:-1] + b"x")
        assert fetch(plan, tmp_path, hub)["data"]["operations"] != [] and weights(tmp_path) == data


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        (NAME, b"PK\x03\x04" + bytes(1000), "WeightsUnsafe"),
        (NAME, b"GGUF" + struct.pack("<IQQ", 3, 2**40, 1) + bytes(1000), "WeightsUnsafe"),
        (NAME, b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + struct.pack("<Q", 2**60), "WeightsUnsafe"),
        ("other.gguf", gguf(10), "WeightsNotFound"),
    ],
)
def test_what_is_not_sound_weights_is_refused(plan, tmp_path, name, data, code):
    with FakeHub(REPO, {name: data}) as hub:
        assert fetch(plan, tmp_path, hub)["errors"][0]["code"] == code
    assert not list(tmp_path.rglob("*.gguf"))


def test_a_folder_with_sums_is_a_source_and_its_lies_are_found(plan, tmp_path):
    disc = tmp_path / "disc"
    disc.mkdir()
    (disc / NAME).write_bytes(gguf(100_000))
    words = ["fetch", str(plan), "--home", str(tmp_path / "home"), "--yes", "--from", str(disc)]
    (disc / "SHA256SUMS").write_text(f"{'0' * 64}  {NAME}\n")
    assert run_json(*words)["errors"][0]["code"] == "DigestMismatch"
    (disc / "SHA256SUMS").unlink()
    assert run_json(*words)["status"] == "ok" and weights(tmp_path / "home") == (disc / NAME).read_bytes()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="mounting a small disk needs root")
def test_a_disk_too_small_is_named_before_the_first_byte(plan, tmp_path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(tmp_path)], check=True)
    try:
        with FakeHub(REPO, {NAME: gguf(10_000_000)}) as hub:
            document = fetch(plan, tmp_path, hub)
            assert document["errors"][0]["code"] == "DiskTooSmall" and hub.served < 4096
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_two_at_once_do_not_mix(plan, tmp_path):
    words = ["fetch", str(plan), "--home", str(tmp_path), "--yes"]
    with FakeHub(REPO, {NAME: gguf(3_000_000)}, block_pause_s=1) as hub:
        first = subprocess.Popen(
            [sys.executable, "-c", CODE, *words, "--endpoint", hub.url, "--json"],
            env=environment(),
            stdout=subprocess.PIPE,
        )
        wait_until(lambda: any(tmp_path.rglob("*.partial")))
        assert fetch(plan, tmp_path, hub)["errors"][0]["code"] == "Busy"
        hub.block_pause_s = 0
        assert json.loads(first.communicate()[0])["status"] == "ok"
