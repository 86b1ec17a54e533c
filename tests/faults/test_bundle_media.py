"""What sound bundles do, on discs of any number and order, read-only ones too, and on top of an older one."""

import os
import shutil
from pathlib import Path

import pytest

from dsdeploy.core import errors
from dsdeploy.stages.bundle.load import Consent
from tests.bundles import FORMAT, MODEL, flip, ground, tree, volumes


def test_what_was_built_is_what_is_loaded_and_building_again_gives_the_same_bytes(ours):
    assert ours.verify().unsigned is False and len(volumes(ours)) > 3
    loaded = ours.load()
    home = ours.folder / "site"
    for shard in ours.weights.glob("*.safetensors"):
        assert (home / "weights" / MODEL / FORMAT / shard.name).read_bytes() == shard.read_bytes()
    assert Path(loaded.plan).read_text() == "a plan\n"
    ours.build("again")
    assert tree(ours.folder / "again") == tree(ours.folder / "bundle")
    assert ours.load().previous is None, "loading it again changes nothing"


def test_volumes_may_come_in_any_order_from_many_discs_one_at_a_time(ours):
    discs = []
    for number, path in enumerate(reversed(volumes(ours))):
        disc = ours.folder / f"disc{number}"
        disc.mkdir()
        path.rename(disc / path.name)
        discs.append(disc)
    with pytest.raises(errors.VolumeMissing) as error:
        ours.load(ours.folder / "bundle")
    assert str(len(discs)) in error.value.message.render("en")
    for disc in discs[:-1]:
        with pytest.raises(errors.VolumeMissing):
            ours.load(disc)
        shutil.rmtree(disc)
    assert ours.load(discs[-1]).files == len(ours.sizes) + 1


def test_an_older_sequence_needs_consent_and_both_versions_stay(ours):
    ours.load()
    ours.write(seed=7, changed=(1,))
    ours.build("newer", sequence=5)
    done = ours.load(ours.folder / "newer")
    assert done.previous is not None and Path(done.previous).is_dir()
    with pytest.raises(errors.SequenceOlder):
        ours.load()
    assert ours.load(consent=Consent(rollback=True)).rolled_back is True


def test_a_differential_bundle_needs_its_base_and_carries_only_what_changed(ours):
    ours.write(seed=7, changed=(0,))
    made = ours.build("delta", sequence=2, base=ours.folder / "bundle")
    assert made.carried_bytes == ours.sizes[0]
    with pytest.raises(errors.BaseMissing):
        ours.load(ours.folder / "delta")
    ours.load()
    ours.load(ours.folder / "delta")
    loaded = ours.folder / "site/weights" / MODEL / FORMAT
    assert all((loaded / one.name).read_bytes() == one.read_bytes() for one in ours.weights.glob("*.safetensors"))
    held = Path(os.path.realpath(loaded / "tiny-1.safetensors"))
    held.chmod(0o644)
    flip(held, 5)
    ours.write(seed=8, changed=(0,))
    ours.build("delta3", sequence=3, base=ours.folder / "bundle")
    with pytest.raises(errors.BaseMissing):
        ours.load(ours.folder / "delta3")


def test_a_bundle_that_no_holder_of_its_base_would_take_is_not_built(ours):
    for sequence in (0, 1):
        with pytest.raises(errors.BundleUsage, match="bundle-not-newer"):
            ours.build("delta", sequence=sequence, base=ours.folder / "bundle")
    assert not (ours.folder / "delta").exists()


def test_more_than_1000_volumes(tmp_path):
    one = ground(tmp_path / "many", (1_000_000, 2_000_000))
    made = one.build(volume="4096")
    assert made.volumes > 1000
    one.load()
    assert (one.folder / "site/weights" / MODEL / FORMAT / "tiny-1.safetensors").read_bytes() == (
        one.weights / "tiny-1.safetensors"
    ).read_bytes()


def test_a_read_only_medium_is_enough(ours):
    folder = ours.folder / "bundle"
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    before = tree(folder)
    ours.load()
    assert tree(folder) == before
    folder.chmod(0o755)
