"""Whatever is changed in a bundle on its way, by chance or by somebody: nothing that was not signed gets in."""

import os
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from dsdeploy.adapters.bundle.keys import generate_key, load_private, load_public
from dsdeploy.core import errors
from dsdeploy.core.errors import BundleError
from dsdeploy.core.progress import SILENT
from dsdeploy.stages.bundle.load import Consent
from dsdeploy.stages.bundle.opening import open_bundle
from dsdeploy.stages.bundle.seal import seal
from dsdeploy.stages.bundle.verify import verify
from tests.bundles import flip, volumes

ROOT, SIGNATURE = "dsdeploy-bundle.json", "dsdeploy-bundle.sig"


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


def test_a_volume_that_lies_twice_and_one_that_is_not_named_are_refused(ours):
    other = ours.folder / "other"
    other.mkdir()
    shutil.copy(volumes(ours)[0], other)
    with pytest.raises(errors.BundleUnsafe):
        ours.verify(ours.folder / "bundle", other)
    (other / volumes(ours)[0].name).rename(other / "x.tar")
    with pytest.raises(errors.BundleUnsafe):
        ours.verify(ours.folder / "bundle", other)


@pytest.mark.parametrize("name", ["*-v0002-*.tar", ROOT, SIGNATURE, "SHA256SUMS"])
@pytest.mark.parametrize("kind", ["link", "dangling link", "folder", "pipe"])
def test_only_a_plain_file_is_read(ours, name, kind):
    """A link to the very bytes that were signed is refused too: what it leads to tomorrow nobody has signed."""
    (path,), away = (ours.folder / "bundle").glob(name), ours.folder / "away"
    path.rename(away)
    match kind:
        case "link":
            path.symlink_to(away)
        case "dangling link":
            path.symlink_to(ours.folder / "nowhere")
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
    for act in (ours.verify, ours.load):
        with pytest.raises(errors.BundleUnsafe) as error:
            act()
        assert path.name in error.value.message.render("en")
    assert not (ours.folder / "site/weights").exists()


@pytest.mark.parametrize("at", [-1, 0])
def test_a_volume_that_is_cut_short_or_not_there_is_named(ours, at):
    path = volumes(ours)[-1] if at else volumes(ours)[2]
    path.write_bytes(path.read_bytes()[:at]) if at else path.unlink()
    for act in (ours.verify, ours.load):
        with pytest.raises((errors.BundleAltered, errors.VolumeMissing)) as error:
            act()
        assert path.name in error.value.message.render("en")


@pytest.mark.parametrize(
    "paths",
    [
        ("/etc/evil",),
        ("extra/../../evil",),
        ("evil",),
        ("extra/a", "extra/A"),
        ("extra/a", "extra/a/b"),
        ("extra/a:b",),
    ],
)
def test_a_root_that_a_trusted_key_signed_may_not_name_any_path(ours, paths):
    """Whoever holds the key is not believed about places: nothing is written, inside or outside."""
    opened = open_bundle((ours.folder / "bundle",), ours.trusted, False)
    (plan,) = (one for one in opened.bundle.files if one.path == "plan.yaml")
    others = tuple(one for one in opened.bundle.files if one != plan)
    evil = replace(opened.bundle, files=(*(replace(plan, path=path) for path in paths), *others))
    seal(ours.folder / "bundle", evil, (load_private(str(ours.folder / "k.key")),))
    for act in (ours.verify, ours.load):
        with pytest.raises(errors.BundleUnsafe):
            act()
    assert not list(ours.folder.rglob("evil")) and not (ours.folder / "site/weights").exists()


def test_two_volumes_of_one_size_cannot_be_swapped(ours):
    first, second = volumes(ours)[1], volumes(ours)[2]
    assert first.stat().st_size == second.stat().st_size
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
