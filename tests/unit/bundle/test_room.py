"""Images that do not fit are refused with the arithmetic, before anything is sent."""

import os
from types import SimpleNamespace

import pytest

from dsdeploy.adapters.bundle import room
from dsdeploy.adapters.bundle.room import ImageSize, judge_image_room
from dsdeploy.core.errors import BundleNoRoom

HELD, LACKING = ImageSize(("sha256:1",), 10**18), ImageSize(("sha256:2",), 1000)


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Its root is a real folder; what it holds and where it listens are told."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(room, "connect", lambda: SimpleNamespace(info=lambda: {"DockerRootDir": str(tmp_path)}))
    monkeypatch.setattr(room, "has_image", lambda client, id: id in HELD.ids)


def test_what_is_there_needs_no_room_and_docker_needs_the_largest_twice(engine, monkeypatch, tmp_path):
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    judge_image_room("docker", (HELD, LACKING))
    with pytest.raises(BundleNoRoom) as error:
        judge_image_room("docker", (HELD, ImageSize(("sha256:3",), free // 3 * 2)))
    assert str(tmp_path) in error.value.message.render("en")
    monkeypatch.setenv("DOCKER_HOST", "ssh://elsewhere")
    judge_image_room("docker", (ImageSize(("sha256:3",), free * 2),))


def test_containerd_is_judged_by_its_configured_root(monkeypatch, tmp_path):
    monkeypatch.delenv("CONTAINERD_ADDRESS", raising=False)
    monkeypatch.setattr(room, "_CONTAINERD_CONFIG", tmp_path / "config.toml")
    (tmp_path / "config.toml").write_text(f'version = 2\nroot = "{tmp_path}"\n')
    judge_image_room("containerd", (LACKING,))
    with pytest.raises(BundleNoRoom):
        judge_image_room("containerd", (HELD,))
    judge_image_room("registry.site/project", (HELD,))
