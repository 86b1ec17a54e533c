"""Cutting a built bundle anew: the same contents in other volumes, whatever happens on the way."""

import os
import random
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from dsdeploy.adapters.bundle import stream
from dsdeploy.adapters.bundle.keys import load_private
from dsdeploy.core import errors
from dsdeploy.core.bundle.ustar import BLOCK_BYTES
from dsdeploy.core.bundle.volumes import cut
from dsdeploy.core.progress import SILENT
from dsdeploy.stages.bundle.opening import open_bundle
from dsdeploy.stages.bundle.recut import Recut, recut
from tests.bundles import FORMAT, MODEL, Ground, Written, flip, ground, in_child, slow_disk, tree

SIZES = (30_000, 0, 1, 70_001, 512, 200_000)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    made = ground(tmp_path_factory.mktemp("whole"), SIZES)
    made.build(volume=None)
    made.build("cut")
    return made


@pytest.fixture
def ours(whole, tmp_path):
    return Ground(Path(shutil.copytree(whole.folder, tmp_path / "ours")), whole.sizes)


def cut_anew(ours: Ground, source: str, out: str, capacity: int | None, move: bool = False) -> Recut:
    opened = open_bundle((ours.folder / source,), ours.trusted, False)
    keys = (load_private(str(ours.folder / "k.key")),)
    return recut(opened, ours.folder / out, capacity, keys, SILENT, move=move)


@pytest.mark.parametrize("move", [False, True])
@pytest.mark.parametrize(("source", "capacity"), [("bundle", 25_000), ("bundle", 4096), ("cut", None), ("cut", 9_999)])
def test_cut_anew_it_holds_the_same_and_is_what_building_so_would_have_given(ours, source, capacity, move):
    made = cut_anew(ours, source, "out", capacity, move)
    ours.verify(ours.folder / "out")
    ours.load(ours.folder / "out")
    for shard in ours.weights.glob("*.safetensors"):
        assert (ours.folder / "site/weights" / MODEL / FORMAT / shard.name).read_bytes() == shard.read_bytes()
    ours.build("direct", volume=None if capacity is None else str(capacity))
    assert tree(ours.folder / "out") == tree(ours.folder / "direct")
    assert len(list((ours.folder / "out").glob("*.tar"))) == made.volumes
    assert bool(list((ours.folder / source).glob("*.tar"))) is not move


def test_a_flipped_bit_is_found_while_cutting_and_names_the_old_volume(ours):
    path = sorted((ours.folder / "cut").glob("*.tar"))[3]
    flip(path, 5_000)
    with pytest.raises(errors.BundleAltered) as error:
        cut_anew(ours, "cut", "out", None)
    assert path.name in error.value.message.render("en")
    assert not (ours.folder / "out/dsdeploy-bundle.json").exists()
    flip(path, 5_000)
    cut_anew(ours, "cut", "out", None)
    ours.verify(ours.folder / "out")


@pytest.mark.parametrize("capacity", [9_000, 40_000, 60_000, None])
def test_a_kill_costs_one_old_extent_at_most(tmp_path, monkeypatch, capacity):
    """Old and new ones begin at different places; what comes of an old one counts once all of that is proven."""
    ours = ground(tmp_path / "ours", (150_000,))
    ours.build("cut", volume="27000")
    monkeypatch.setattr(stream, "_CHUNK_BYTES", 1024)
    slow_disk(monkeypatch, 0.01)
    written = Written(monkeypatch)
    cut_anew(ours, "cut", "undisturbed", capacity)
    undisturbed, again = written.take(), []
    for calls in range(20, 200, 8):
        act = lambda: cut_anew(ours, "cut", "out", capacity)  # noqa: E731
        assert os.WIFSIGNALED(in_child(act, calls))
        act()
        again.append(written.take() - undisturbed)
        assert tree(ours.folder / "out") == tree(ours.folder / "undisturbed")
        shutil.rmtree(ours.folder / "out")
    assert 20_000 < max(again) <= 27_000


@pytest.mark.parametrize("move", [False, True])
def test_killed_anywhere_it_goes_on_to_the_same_bytes(ours, move):
    cut_anew(ours, "cut", "undisturbed", 60_000)
    chance, killed = random.Random(move), 0
    for _ in range(20):
        shutil.copytree(ours.folder / "cut", ours.folder / "again")
        act = lambda: cut_anew(ours, "again", "out", 60_000, move)  # noqa: E731
        for _ in range(2):
            killed += os.WIFSIGNALED(in_child(act, chance.randrange(70)))
            if (ours.folder / "out/dsdeploy-bundle.sig").exists():
                break
        if list((ours.folder / "out").glob(".*")) or not (ours.folder / "out/dsdeploy-bundle.sig").exists():
            act()
        assert tree(ours.folder / "out") == tree(ours.folder / "undisturbed")
        for name in ("out", "again"):
            shutil.rmtree(ours.folder / name)
    assert killed >= 15


@pytest.mark.parametrize(("source", "capacity"), [("cut", None), ("bundle", 40_000), ("cut", 9_999)])
def test_moving_takes_no_more_room_than_was_judged(ours, source, capacity, monkeypatch):
    before, most = room_taken(ours.folder), [0]

    def watched(*words, real=os.pwrite):
        done = real(*words)
        most[0] = max(most[0], room_taken(ours.folder) - before)
        return done

    opened = open_bundle((ours.folder / source,), ours.trusted, False).bundle
    parts = cut(tuple(one.size_bytes for one in opened.blobs), capacity)
    free = max(one.size_bytes for one in opened.volumes) + max(one.size_bytes for one in parts) - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    for _ in range(2):
        with pytest.raises(errors.BundleNoRoom):
            cut_anew(ours, source, "out", capacity, move=True)
    free += 1
    monkeypatch.setattr(os, "pwrite", watched)
    cut_anew(ours, source, "out", capacity, move=True)
    assert 0 < most[0] <= free + 3 * BLOCK_BYTES * len(parts), "headers and ends of tars aside"


def room_taken(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.rglob("*.tar*"))


def test_what_is_there_is_not_overwritten_and_what_is_missing_is_named(ours):
    with pytest.raises(errors.BundleExists):
        cut_anew(ours, "cut", "bundle", None)
    sorted((ours.folder / "cut").glob("*.tar"))[1].unlink()
    with pytest.raises(errors.VolumeMissing):
        cut_anew(ours, "cut", "out", None)
