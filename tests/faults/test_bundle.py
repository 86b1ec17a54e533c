"""Whatever happens to a bundle on its way: nothing that was not signed gets in, nothing that is whole gets lost."""

import os
import random
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from dsdeploy.adapters.bundle.keys import generate_key, load_public
from dsdeploy.core import errors
from dsdeploy.core.errors import BundleError
from dsdeploy.core.progress import SILENT
from dsdeploy.stages.bundle.load import Consent
from dsdeploy.stages.bundle.verify import verify
from tests.bundles import FORMAT, MODEL, ground, tree

ROOT, SIGNATURE = "dsdeploy-bundle.json", "dsdeploy-bundle.sig"
# Inodes and times differ from one load to the next; the log tells of each.
OWN = ("verified.json", "weights.json", "audit.jsonl", "lock")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    made = ground(tmp_path_factory.mktemp("whole"))
    made.build()
    return made


@pytest.fixture
def ours(whole, tmp_path):
    """A copy to break."""
    return type(whole)(shutil.copytree(whole.folder, tmp_path / "ours"), whole.sizes)


def volumes(one) -> list[Path]:
    return sorted((one.folder / "bundle").glob("*.tar"))


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


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


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (0, "BundleAltered"),  # a member's name
        (124, "BundleAltered"),  # a header's size
        (400, "BundleAltered"),  # a header's spare bytes
        (512, "BundleAltered"),  # the first byte of payload
        (-1, "BundleAltered"),  # the end of the tar
    ],
)
def test_a_flipped_bit_in_a_volume_is_found_and_the_volume_named(ours, at, code):
    path = volumes(ours)[1]
    flip(path, at % path.stat().st_size)
    for act in (ours.verify, ours.load):
        with pytest.raises(BundleError) as error:
            act()
        assert error.value.code == code and path.name in error.value.message.render("en")
    assert not (ours.folder / "site" / "weights").exists()


def test_every_padding_byte_counts(ours):
    for path in volumes(ours):
        data = path.read_bytes()
        for at in range(0, len(data), 97):
            path.write_bytes(data[:at] + bytes([data[at] ^ 0x80]) + data[at + 1 :])
            with pytest.raises(errors.BundleAltered):
                ours.verify()
        path.write_bytes(data)
        break
    ours.verify()


@pytest.mark.parametrize("name", [ROOT, SIGNATURE, "EXTENTS.sha256", "SHA256SUMS", "verify.sh"])
def test_a_flipped_bit_in_a_text_is_found(ours, name):
    path = ours.folder / "bundle" / name
    for at in (3, path.stat().st_size // 2, path.stat().st_size - 2):
        flip(path, at)
        with pytest.raises(BundleError):
            ours.verify()
        flip(path, at)
    path.unlink()
    with pytest.raises(BundleError):
        ours.verify()


def mutate(folder: Path, chance: random.Random) -> str:
    """One change, made to any file with equal chance."""
    paths = sorted(folder.iterdir())
    path = chance.choice(paths)
    data = path.read_bytes()
    at = chance.randrange(len(data))
    match kind := chance.choice(
        ["flip", "cut", "grow", "insert", "remove", "drop", "add", "swap", "zero", "link", "case"]
    ):
        case "flip":
            path.write_bytes(data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :])
        case "cut":
            path.write_bytes(data[:at])
        case "grow":
            path.write_bytes(data + chance.randbytes(chance.choice([1, 512, 1024])))
        case "insert":
            path.write_bytes(data[:at] + chance.randbytes(1) + data[at:])
        case "remove":
            path.write_bytes(data[:at] + data[at + 1 :])
        case "drop":
            path.unlink()
        case "add":
            (folder / f"extra-{at}").write_bytes(b"x")
        case "swap":
            other = chance.choice([one for one in paths if one.read_bytes() != data])
            path.write_bytes(other.read_bytes())
            other.write_bytes(data)
        case "zero":
            length = min(len(data) - at, 600)
            changed = data[:at] + bytes(length) + data[at + length :]
            path.write_bytes(changed if changed != data else data[:-1])
        case "link":
            path.rename(folder.parent / "away")
            path.symlink_to(folder.parent / "away")
        case "case":
            path.rename(folder / path.name.swapcase())
    return f"{kind} {path.name} {at}"


def test_500_random_mutations_and_none_is_accepted(ours):
    folder, chance = ours.folder / "bundle", random.Random(5)
    sound = {path.name: path.read_bytes() for path in folder.iterdir()}
    accepted = []
    for _ in range(500):
        what = mutate(folder, chance)
        try:
            ours.verify()
            accepted.append(what)
        except BundleError:
            pass
        shutil.rmtree(folder)
        (folder.parent / "away").unlink(missing_ok=True)
        folder.mkdir()
        for name, data in sound.items():
            (folder / name).write_bytes(data)
    ours.verify()
    assert accepted == []


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


def test_a_volume_that_lies_twice_and_one_that_is_not_named_are_refused(ours):
    other = ours.folder / "other"
    other.mkdir()
    shutil.copy(volumes(ours)[0], other)
    with pytest.raises(errors.BundleUnsafe):
        ours.verify(ours.folder / "bundle", other)
    (other / volumes(ours)[0].name).rename(other / "x.tar")
    with pytest.raises(errors.BundleUnsafe):
        ours.verify(ours.folder / "bundle", other)


def test_two_volumes_of_one_size_cannot_be_swapped(ours):
    first, second = volumes(ours)[0], volumes(ours)[2]
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    with pytest.raises(errors.BundleAltered):
        ours.load()


def test_only_a_trusted_key_opens_and_the_exception_is_recorded(ours):
    generate_key(ours.folder, "stranger", "ecdsa-p256")
    stranger = (load_public(ours.folder / "stranger.pub"),)
    with pytest.raises(errors.SignerUnknown):
        verify((ours.folder / "bundle",), stranger, False, SILENT)
    (ours.folder / "bundle" / SIGNATURE).unlink()
    with pytest.raises(errors.SignatureMissing):
        ours.load()
    ours.load(consent=Consent(unsigned=True))
    log = (ours.folder / "site/bundles/audit.jsonl").read_text().splitlines()
    assert '"unsigned": true' in log[-1]


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


def test_more_than_1000_volumes(tmp_path):
    one = ground(tmp_path / "many", (1_000_000, 2_000_000))
    made = one.build(volume="4096")
    assert made.volumes > 1000
    one.load()
    assert (one.folder / "site/weights" / MODEL / FORMAT / "tiny-1.safetensors").read_bytes() == (
        one.weights / "tiny-1.safetensors"
    ).read_bytes()


def in_child(act, calls: int | None) -> int:
    """Runs `act` in a process of its own, which kills itself before that many changes of the disk; its status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    left = [calls]

    def counted(real):
        def call(*words, **more):
            if left[0] is not None:
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)
                left[0] -= 1
            return real(*words, **more)

        return call

    for name in ("pwrite", "write", "fsync", "link", "rename", "replace", "symlink", "unlink", "ftruncate"):
        setattr(os, name, counted(getattr(os, name)))
    try:
        act()
        os._exit(0)
    except BaseException:
        os._exit(1)


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


def test_a_read_only_medium_is_enough(ours):
    folder = ours.folder / "bundle"
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    before = tree(folder)
    ours.load()
    assert tree(folder) == before
    folder.chmod(0o755)
