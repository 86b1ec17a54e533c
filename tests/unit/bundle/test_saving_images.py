"""Images come out of an engine into archives beside the medium: there must be room for both before the first byte."""

import errno
import json
import os
from types import SimpleNamespace

import pytest
from docker.errors import ImageNotFound

from dsdeploy.adapters.bundle import images
from dsdeploy.adapters.bundle.images import save_images
from dsdeploy.adapters.bundle.staged import Staged
from dsdeploy.core.documents import to_document
from dsdeploy.core.errors import BundleNoRoom, ImageMissing

OWN = (("Backing Filesystem", "extfs"),)
CONTAINERD = (("driver-type", "io.containerd.snapshotter.v1"),)


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Holds one image; what is told of its size and of its store is each test's."""

    def holds(size_bytes: int, store=OWN, content=(b"an ", b"archive")):
        image = SimpleNamespace(id="sha256:" + "4" * 64, attrs={"Size": size_bytes}, save=lambda named: iter(content))
        client = SimpleNamespace(
            images=SimpleNamespace(get=lambda reference: image), info=lambda: {"DriverStatus": [*map(list, store)]}
        )
        monkeypatch.setattr(images, "connect", lambda: client)
        return tmp_path / "medium.images"

    return holds


def free_bytes(tmp_path) -> int:
    disk = os.statvfs(tmp_path)
    return disk.f_bavail * disk.f_frsize


@pytest.mark.parametrize(("image", "beside"), [(1.01, 0), (0.3, 0.75)])
def test_an_image_needs_room_and_what_else_is_carried_beside_it(engine, tmp_path, image, beside):
    free = free_bytes(tmp_path)
    folder = engine(int(free * image))
    with pytest.raises(BundleNoRoom) as error:
        save_images(("a:1",), folder, int(free * beside))
    assert not folder.exists() and str(tmp_path) in error.value.message.render("en")


def test_an_image_that_is_carried_makes_room_for_the_rest(engine, tmp_path):
    free = free_bytes(tmp_path)
    assert len(save_images(("a:1",), engine(int(free * 0.3)), int(free * 0.6))) == 1


def test_one_that_is_saved_already_is_not_counted_again(engine, tmp_path):
    folder = engine(1000)
    (path,) = save_images(("a:1",), folder, 0)
    assert path.read_bytes() == b"an archive"
    engine(free_bytes(tmp_path))
    assert save_images(("a:1",), folder, free_bytes(tmp_path) * 2) == (path,)


def test_an_image_that_is_carried_need_not_be_in_the_engine_any_more(engine, tmp_path, monkeypatch):
    folder = engine(1000)
    folder.mkdir()
    (folder / "a-1.tar.carried").write_text(json.dumps(to_document(Staged(9, (1, 9, 1), None, ("a:1",), "4" * 64))))

    def get(reference):
        raise ImageNotFound(reference)

    monkeypatch.setattr(images, "connect", lambda: SimpleNamespace(images=SimpleNamespace(get=get)))
    assert save_images(("a:1",), folder, 0) == (folder / "a-1.tar",)
    with pytest.raises(ImageMissing):
        save_images(("b:1",), folder, 0)


def test_an_engine_that_counts_what_it_unpacked_too_is_not_believed(engine, tmp_path):
    free = free_bytes(tmp_path)
    folder = engine(free, CONTAINERD)
    assert len(save_images(("a:1",), folder, 0)) == 1
    with pytest.raises(BundleNoRoom):
        save_images(("a:1",), tmp_path / "other", free * 2)


def test_a_disk_that_fills_up_has_its_name_and_nothing_torn_is_left(engine):
    def filling():
        yield b"x"
        raise OSError(errno.ENOSPC, "full")

    folder = engine(1000, content=filling())
    with pytest.raises(BundleNoRoom):
        save_images(("a:1",), folder, 0)
    assert list(folder.iterdir()) == []
