"""Archives that were saved for a bundle make room as they are carried, and a build that was cut off goes on without."""

import hashlib
import io
import json
import os
import random
import shutil
import tarfile
from pathlib import Path

import pytest

from dsdeploy.adapters.bundle import stream
from dsdeploy.adapters.bundle.staged import forget
from dsdeploy.core import errors
from dsdeploy.core.progress import SILENT
from dsdeploy.stages.bundle import build
from dsdeploy.stages.bundle import gather as gathering
from dsdeploy.stages.bundle.create import create, goes_on
from dsdeploy.stages.bundle.gather import gather
from tests.bundles import Ground, ground, in_child, tree

SIGNATURE = "dsdeploy-bundle.sig"
LAYERS_BYTES = (250_000, 90_000)
PIECE_BYTES, BLOCK_BYTES = 16_384, 4096


def save(archive: Path, layer_bytes: int) -> None:
    """As `docker save` writes it."""
    layer = random.Random(layer_bytes).randbytes(layer_bytes)
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}}).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    entry = {"Config": name, "RepoTags": [f"test/{archive.stem}:1"], "Layers": [f"{digest}/layer.tar"]}
    with tarfile.open(archive, "w") as file:
        parts = ((f"{digest}/layer.tar", layer), (name, config), ("manifest.json", json.dumps([entry]).encode()))
        for path, content in parts:
            told = tarfile.TarInfo(path)
            told.size = len(content)
            file.addfile(told, io.BytesIO(content))


class Staging:
    """A build of weights and two images, in `place`; `anew` saves the images whose archives are not here."""

    def __init__(self, made: Ground, place: str) -> None:
        self.made, self.out = made, made.folder / place
        self.folder = self.out.with_name(place + ".images")
        self.anew()

    def anew(self) -> None:
        self.folder.mkdir(exist_ok=True)
        for number, size in enumerate(LAYERS_BYTES):
            save(self.folder / f"image-{number}.tar", size)

    @property
    def archives(self) -> tuple[Path, ...]:
        return tuple(self.folder / f"image-{number}.tar" for number in range(len(LAYERS_BYTES)))

    @property
    def parts(self):
        order = self.made.order(self.out.name, volume="60000", staging=self.folder)
        return order, gather(self.made.plan, (self.made.weights,), (), self.archives, None)

    def build(self) -> None:
        create(*self.parts, {"SOURCE_DATE_EPOCH": "1000000000"}, SILENT)


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Archives of this size are read once, as true ones are."""
    monkeypatch.setattr(gathering, "_SMALL_BYTES", 50_000)
    monkeypatch.setattr(stream, "_CHUNK_BYTES", 4096)
    monkeypatch.setattr(build, "_PIECE_BYTES", PIECE_BYTES)
    return ground(tmp_path / "ground")


def taken_bytes(*folders: Path) -> int:
    return sum(one.stat().st_blocks * 512 for folder in folders if folder.exists() for one in folder.iterdir())


def test_no_more_disk_is_taken_than_the_payload(made, monkeypatch):
    ours, most, real = Staging(made, "out"), [0], os.pwrite
    payload = sum(one.size_bytes for one in ours.parts[1].contents)

    def pwrite(file, content, at):
        done = real(file, content, at)
        most[0] = max(most[0], taken_bytes(ours.out, ours.folder))
        return done

    monkeypatch.setattr(os, "pwrite", pwrite)
    ours.build()
    assert not any(one.exists() for one in ours.archives)
    around = taken_bytes(ours.out) - payload
    assert max(LAYERS_BYTES) + sum(LAYERS_BYTES) > payload + 90_000  # what it was with one of them twice
    assert most[0] <= payload + around + PIECE_BYTES + 8 * BLOCK_BYTES


def test_killed_anywhere_it_goes_on_without_what_is_carried(made):
    Staging(made, "undisturbed").build()
    chance, killed, without, holed = random.Random(1), 0, 0, 0
    for _ in range(20):
        ours = Staging(made, "out")
        for _ in range(3):
            killed += os.WIFSIGNALED(in_child(ours.build, chance.randrange(400)))
            without += sum(not one.exists() for one in ours.archives)
            holed += sum(one.exists() and one.stat().st_blocks * 512 < one.stat().st_size for one in ours.archives)
            if (ours.out / SIGNATURE).exists():
                break
            assert goes_on(*ours.parts) or not list(ours.folder.glob("*.carried"))
        if not (ours.out / SIGNATURE).exists() or list(ours.out.glob(".*")):
            ours.build()
        assert tree(ours.out) == tree(made.folder / "undisturbed")
        made.verify(ours.out)
        shutil.rmtree(ours.out)
        shutil.rmtree(ours.folder)
    assert killed >= 15 and without >= 15 and holed >= 5


def test_a_build_that_begins_anew_says_that_it_needs_them_again(made):
    ours = Staging(made, "out")
    shard = made.weights / "tiny-0.safetensors"
    kept, stat = shard.read_bytes(), shard.stat()
    shard.write_bytes(bytes([kept[0] ^ 1]) + kept[1:])
    os.utime(shard, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(errors.PayloadAltered):
        ours.build()
    assert not any(one.exists() for one in ours.archives)
    assert goes_on(*ours.parts)
    shard.write_bytes(kept)  # with another time: all that was built is of no use
    assert not goes_on(*ours.parts)
    with pytest.raises(errors.PayloadAltered):
        ours.build()
    assert forget(ours.folder) and not forget(ours.folder)
    ours.anew()
    ours.build()
    made.verify(ours.out)
