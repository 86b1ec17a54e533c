"""Killed, out of room, or two at once: what is whole is never lost, and the end is as if nothing had happened."""

import os
import random
import shutil
import subprocess

import pytest

from dsdeploy.adapters.bundle import stream
from dsdeploy.core import errors
from dsdeploy.stages.bundle import build, receive
from tests.bundles import Written, ground, in_child, slow_disk, tree

SIGNATURE = "dsdeploy-bundle.sig"
# Inodes and times differ from one load to the next; the log tells of each.
OWN = ("verified.json", "weights.json", "audit.jsonl", "lock")


@pytest.mark.parametrize("times", [1, 3])
def test_a_build_killed_anywhere_goes_on_to_the_same_bytes(ours, times):
    shutil.rmtree(ours.folder / "bundle")
    ours.build("undisturbed")
    chance, killed = random.Random(times), 0
    for _ in range(20):
        for _ in range(times):
            killed += os.WIFSIGNALED(in_child(ours.build, chance.randrange(90)))
            if (ours.folder / "bundle" / SIGNATURE).exists():
                break
        if not (ours.folder / "bundle" / SIGNATURE).exists() or list((ours.folder / "bundle").glob(".*")):
            ours.build()
        assert tree(ours.folder / "bundle") == tree(ours.folder / "undisturbed")
        shutil.rmtree(ours.folder / "bundle")
    assert killed >= 15


def test_a_build_killed_inside_an_extent_goes_on_there(ours, monkeypatch):
    """Bytes written are counted over all processes: an extent that was begun is not written again."""
    piece_bytes, extent_bytes = 1024, 25_000
    monkeypatch.setattr(build, "_PIECE_BYTES", piece_bytes)
    monkeypatch.setattr(build, "_COMMIT_BYTES", piece_bytes)
    written = Written(monkeypatch)
    shutil.rmtree(ours.folder / "bundle")
    ours.build("undisturbed")
    undisturbed = written.take()
    chance, killed = random.Random(1), 0
    while not (ours.folder / "bundle" / SIGNATURE).exists():
        killed += os.WIFSIGNALED(in_child(ours.build, chance.randrange(20, 200)))
    assert tree(ours.folder / "bundle") == tree(ours.folder / "undisturbed")
    again = (written.take() - undisturbed) / killed
    assert killed >= 3
    assert again < extent_bytes / 2


@pytest.mark.parametrize("times", [1, 3])
def test_a_load_killed_anywhere_goes_on_to_the_same_site(ours, times):
    ours.load(home="undisturbed")
    chance, killed = random.Random(times), 0
    for _ in range(20):
        for _ in range(times):
            killed += os.WIFSIGNALED(in_child(ours.load, chance.randrange(70)))
        ours.load()
        site = tree(ours.folder / "site", without=OWN)
        assert site == tree(ours.folder / "undisturbed", without=OWN)
        shutil.rmtree(ours.folder / "site")
    assert killed >= 15


@pytest.mark.parametrize(
    ("together", "sizes", "volume"), [(1, (30_000, 70_001), "25000"), (30_000, (*range(2_900, 2_910), 60_000), None)]
)
def test_a_kill_of_a_load_costs_one_extent_at_most(tmp_path, monkeypatch, together, sizes, volume):
    """The first of small ones that are made durable together, too, when a large one follows."""
    ours = ground(tmp_path / "ours", sizes)
    ours.build(volume=volume)
    monkeypatch.setattr(receive, "_COMMIT_BYTES", together)
    monkeypatch.setattr(stream, "_CHUNK_BYTES", 1024)
    slow_disk(monkeypatch, 0.01)
    written = Written(monkeypatch)
    ours.load(home="undisturbed")
    undisturbed, again = written.take(), []
    for calls in range(20, 120, 5):
        if os.WIFSIGNALED(in_child(ours.load, calls)):
            ours.load()
            again.append(written.take() - undisturbed)
        written.take()
        shutil.rmtree(ours.folder / "site")
    largest = int(volume or max(sizes))
    assert len(again) > 10 and largest / 2 < max(again) <= largest


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="mounting a small disk needs root")
@pytest.mark.parametrize("size", ["60k", "200k"])
def test_a_full_disk_has_its_name_and_more_room_lets_it_go_on(ours, size):
    small = ours.folder / "small"
    small.mkdir()
    for act in (lambda: ours.build("small/out"), lambda: ours.load(home="small/site")):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(small)], check=True)
        try:
            (small / "other").write_bytes(bytes(40_000))
            with pytest.raises((errors.BundleNoRoom, errors.BundleNotWritable)):
                act()
            subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
            act()
        finally:
            subprocess.run(["umount", "-l", str(small)], check=True)


def forked(act) -> int:
    """A child that ends with 0, or with 3 where it was told to wait."""
    child = os.fork()
    if child:
        return child
    try:
        act()
        os._exit(0)
    except errors.BundleBusy:
        os._exit(3)
    except BaseException:
        os._exit(1)


def test_two_loads_at_once_do_not_mix(ours):
    """Two processes on one site, many times: one is told that the other is at work, or comes after it."""
    ours.load(home="undisturbed")
    for _ in range(10):
        children = [forked(ours.load) for _ in range(2)]
        ended = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
        assert ended in ([0, 0], [0, 3])
        assert tree(ours.folder / "site", without=OWN) == tree(ours.folder / "undisturbed", without=OWN)
        shutil.rmtree(ours.folder / "site")
