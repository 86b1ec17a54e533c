"""Whether images fit where they are to go, before the first byte is sent. A registry cannot be asked: it refuses."""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from dsdeploy.adapters.targets.compose.docker_engine import connect, docker_host, has_image
from dsdeploy.core.errors import BundleNoRoom
from dsdeploy.core.sizes import size_words
from dsdeploy.core.texts import text

DOCKER, CONTAINERD = "docker", "containerd"
_CONTAINERD_CONFIG = Path("/etc/containerd/config.toml")
_CONTAINERD_ROOT = "/var/lib/containerd"


@dataclass(frozen=True, slots=True)
class ImageSize:
    """An archive's size, and the ids that say that its image is there already."""

    ids: tuple[str, ...]
    size_bytes: int


def judge_image_room(place: str, images: tuple[ImageSize, ...]) -> None:
    """Docker unpacks an archive beside what it makes of it; containerd keeps it as it is.

    Raises BundleNoRoom, with the arithmetic; RuntimeMissing, RuntimeRefused.
    """
    if place == DOCKER and images:
        client = connect()
        lacking = [one.size_bytes for one in images if not any(has_image(client, id) for id in one.ids)]
        if docker_host().startswith("unix:"):  # else its disk is another machine's
            _judge(Path(str(client.info().get("DockerRootDir"))), sum(lacking), max(lacking, default=0))
    elif place == CONTAINERD and not os.environ.get("CONTAINERD_ADDRESS"):
        _judge(_containerd_root(), sum(one.size_bytes for one in images), 0)


def _judge(root: Path, payload_bytes: int, around_bytes: int) -> None:
    if not root.is_dir():
        return
    disk = os.statvfs(root)
    free = disk.f_bavail * disk.f_frsize
    if payload_bytes + around_bytes > free:
        shown = {"payload": size_words(payload_bytes), "around": size_words(around_bytes), "free": size_words(free)}
        raise BundleNoRoom(text("images-no-room", path=root, **shown), hint=text("images-no-room-hint"))


def _containerd_root() -> Path:
    try:
        return Path(str(tomllib.loads(_CONTAINERD_CONFIG.read_text(encoding="utf-8")).get("root", _CONTAINERD_ROOT)))
    except (OSError, ValueError):
        return Path(_CONTAINERD_ROOT)
