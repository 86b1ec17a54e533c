"""Nothing is held whole in memory, read twice or kept twice, whatever the size: counted, not timed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.bundle.acts import make_weights
from tests.bundles import ground

ROOT = Path(__file__).parents[2]
PAYLOAD_BYTES, MOST_MEMORY_BYTES, MOST_READ, MOST_DISK = 400_000_000, 200_000_000, 1.02, 1.02


def test_one_pass_and_little_memory(tmp_path):
    make_weights(tmp_path, 2, PAYLOAD_BYTES // 2)
    for act in ("build", "verify", "load"):
        words = [sys.executable, "-m", "benchmarks.bundle.acts", act, str(tmp_path)]
        told = json.loads(subprocess.run(words, cwd=ROOT, check=True, capture_output=True, timeout=600).stdout)
        assert told["peak_bytes"] < MOST_MEMORY_BYTES, act
        assert PAYLOAD_BYTES <= told["read_bytes"] <= MOST_READ * PAYLOAD_BYTES, act


@pytest.fixture
def watched(monkeypatch):
    """The most that lay below a folder at any write or link."""

    def watch(folder: Path) -> list[int]:
        most = [0]

        def counted(real):
            def call(*words, **more):
                done = real(*words, **more)
                inodes = {one.stat().st_ino: one.stat().st_size for one in folder.rglob("*") if one.is_file()}
                most[0] = max(most[0], sum(inodes.values()))
                return done

            return call

        for name in ("pwrite", "link", "rename"):
            monkeypatch.setattr(os, name, counted(getattr(os, name)))
        return most

    return watch


def test_no_second_copy_on_the_disk(tmp_path, watched):
    """At most the payload and one volume beside it, on either side."""
    ours, volume_bytes = ground(tmp_path / "ours", (2_000_000, 3_000_000)), 500_000
    built = watched(ours.folder / "bundle")
    ours.build(volume=str(volume_bytes))
    loaded = watched(ours.folder / "site")
    ours.load()
    for most in (built[0], loaded[0]):
        assert sum(ours.sizes) <= most <= MOST_DISK * sum(ours.sizes) + volume_bytes
