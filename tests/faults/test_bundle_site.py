"""What a site keeps: versions, weights that came by fetch, an inventory that goes out; nothing in use is ever lost."""

import json
import os
import shutil
from pathlib import Path

import pytest

from dsdeploy.core import errors
from dsdeploy.core.documents import to_document
from dsdeploy.core.layout import Layout
from dsdeploy.stages.bundle.load import Consent
from dsdeploy.stages.bundle.versions import inventory, prunable, prune, read_log, roll_back
from tests.bundles import FORMAT, MODEL, ground, tree


@pytest.fixture
def ours(tmp_path):
    made = ground(tmp_path / "ours")
    made.build()
    return made


def layout(ours, home: str = "site") -> Layout:
    return Layout(ours.folder / home)


def shown(ours, home: str = "site") -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in layout(ours, home).weights(MODEL, FORMAT).glob("*.safetensors")}


def built(ours) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in ours.weights.glob("*.safetensors")}


def fetched_home(ours, home: str = "site") -> Path:
    """Weights as `fetch` leaves them."""
    folder = layout(ours, home).weights(MODEL, FORMAT)
    return Path(shutil.copytree(ours.weights, folder))


def test_weights_that_came_by_fetch_are_set_aside_and_serve_as_a_base(ours):
    folder = fetched_home(ours)
    before = tree(folder)
    done = ours.load()
    assert shown(ours) == built(ours) and folder.is_symlink()
    (aside,) = done.set_aside
    assert tree(Path(aside)) == before
    assert ours.load().set_aside == ()


def test_an_inventory_is_a_base(ours):
    fetched_home(ours)
    listed = inventory(layout(ours))
    assert {one.size_bytes for one in listed.blobs} == set(ours.sizes)
    (ours.folder / "inventory.json").write_text(json.dumps(to_document(listed)))
    ours.write(seed=4, changed=(2,))
    made = ours.build("delta", sequence=2, base=ours.folder / "inventory.json")
    assert made.carried_bytes == ours.sizes[2] + len("a plan\n")
    ours.load(ours.folder / "delta")
    assert shown(ours) == built(ours)
    with pytest.raises(errors.BaseMissing):
        ours.load(ours.folder / "delta", home="elsewhere")


def test_a_wrong_base_is_named(ours):
    other = ground(ours.folder / "other", (1_000, 2_000))
    other.build()
    ours.write(seed=4, changed=(2,))
    ours.build("delta", sequence=2, base=ours.folder / "bundle")
    shutil.copytree(other.folder / "bundle", ours.folder / "wrong")
    shutil.copy(other.folder / "k.pub", ours.folder / "k2.pub")
    other.load(home=str(ours.folder / "site"))
    with pytest.raises(errors.BaseMissing):
        ours.load(ours.folder / "delta")
    assert not layout(ours).weights(MODEL, FORMAT).resolve().name.startswith("2-")


def test_old_versions_go_and_the_one_in_use_stays(ours):
    for sequence in (2, 3, 4):
        ours.load(ours.folder / "bundle" if sequence == 2 else ours.folder / f"b{sequence - 1}")
        ours.write(seed=sequence, changed=(1,))
        ours.build(f"b{sequence}", sequence=sequence)
    ours.load(ours.folder / "b4")
    place = layout(ours)
    assert [one.bundle.sequence for one in prunable(place, 2)] == [2, 1]
    done = prune(place, prunable(place, 2))
    assert len(done.versions) == 2 and done.freed_bytes >= 2 * ours.sizes[1]
    assert shown(ours) == built(ours) and prunable(place, 2) == ()
    assert not list((place.home / "bundles").glob(".pruned-*"))
    assert roll_back(place, None, None).sequence == 3
    assert [one.bundle.sequence for one in prunable(place, 1)] == [4]
    with pytest.raises(errors.VersionUnknown):
        roll_back(place, "tiny", 1)
    assert roll_back(place, "tiny", 4).sequence == 4 and shown(ours) == built(ours)


def test_a_prune_that_was_killed_is_finished_by_the_next(ours):
    ours.load()
    ours.write(seed=2, changed=(1,))
    ours.build("b2", sequence=2)
    ours.load(ours.folder / "b2")
    place = layout(ours)
    child = os.fork()
    if not child:
        shutil.rmtree = lambda path: os._exit(9)
        prune(place, prunable(place, 1))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert list((place.home / "bundles").glob(".pruned-*")) and shown(ours) == built(ours)
    prune(place, ())
    assert not list((place.home / "bundles").glob(".pruned-*"))
    assert ours.load(ours.folder / "bundle", consent=Consent(rollback=True)).rolled_back


def test_the_log_tells_everything_and_shows_when_it_was_changed(ours):
    ours.load()
    with pytest.raises(errors.SignatureMissing):
        (ours.folder / "bundle/dsdeploy-bundle.sig").rename(ours.folder / "kept")
        ours.load()
    (ours.folder / "kept").rename(ours.folder / "bundle/dsdeploy-bundle.sig")
    ours.load()
    log = layout(ours).home / "bundles/audit.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    events = [json.loads(line)["event"] for line in lines]
    assert events == ["bundle-loaded", "bundle-refused", "bundle-loaded"] and read_log(layout(ours)).broken_at is None
    log.write_text(lines[0] + lines[2])
    assert read_log(layout(ours)).broken_at == 2
    log.write_text(lines[0].replace("bundle-loaded", "bundle-lo4ded") + lines[1])
    assert read_log(layout(ours)).broken_at == 2
