"""Container images as archives: out of a Docker Engine where the bundle is built, into what runs them at the site."""

import errno
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dsdeploy.adapters.bundle.image_archive import ImageArchive, read_archive
from dsdeploy.adapters.bundle.registry import Registry
from dsdeploy.adapters.bundle.room import CONTAINERD, ImageSize, judge_image_room
from dsdeploy.adapters.bundle.room import DOCKER as DOCKER
from dsdeploy.adapters.bundle.staged import carried, is_saved
from dsdeploy.adapters.images.archive import describe_image, image_archive
from dsdeploy.adapters.images.gateway import gateway_image
from dsdeploy.adapters.images.llamacpp import llamacpp_image
from dsdeploy.adapters.targets.compose.docker_engine import connect, has_image
from dsdeploy.core.bundle.volumes import PIECE_BYTES
from dsdeploy.core.errors import BundleNoRoom, BundleNotWritable, ImageMissing, InstallError, RuntimeMissing
from dsdeploy.core.progress import Progress
from dsdeploy.core.sizes import size_words
from dsdeploy.core.texts import text

_CONTAINERD_STORE = "io.containerd.snapshotter.v1"  # what an engine says of its driver
_NAMESPACE = "k8s.io"  # where the kubelet looks for images


@dataclass(frozen=True, slots=True)
class Delivered:
    """`pinned` is by digest where a registry gave one, else the image's id; `large_layers` may be too much for it."""

    reference: str
    pinned: str
    large_layers: tuple[str, ...] = ()


def save_images(references: tuple[str, ...], folder: Path, beside_bytes: int) -> tuple[Path, ...]:
    """One `docker save` archive a reference. One that is whole is kept, as is one that is carried already, whose image
    need not be here any more.

    They go as the bundle takes them up, which has `beside_bytes` of other contents on the same disk: the room
    is judged before the first byte. Raises ImageMissing, BundleNoRoom, BundleNotWritable.
    """
    from docker.errors import DockerException, ImageNotFound

    if not references:
        return ()
    client, gone = connect(), carried(folder)
    found: list[tuple[str, Any]] = []
    paths, reference = [], references[0]
    try:
        for reference in references:
            try:
                found.append((reference, client.images.get(reference)))
            except ImageNotFound:
                if reference not in gone:
                    raise
                found.append((reference, None))
        lacking = [one for reference, one in found if one and not is_saved(_place(folder, reference, one.id))]
        if lacking:
            # With images in containerd an engine's size holds the unpacked layers too, which are not saved.
            status = {str(one[0]): one[-1] for one in client.info().get("DriverStatus") or ()}
            known = status.get("driver-type") != _CONTAINERD_STORE
            _judge_room(folder.parent, [int(one.attrs["Size"]) if known else 0 for one in lacking], beside_bytes)
        for reference, image in found:
            if image is None:
                paths.append(gone[reference])
            else:
                paths.append(_keep(folder, reference, image.id, partial(image.save, named=True)))
    except DockerException as error:
        raise ImageMissing(
            text("bundle-image-missing", image=reference, reason=error), hint=text("bundle-image-missing-hint")
        ) from error
    return tuple(paths)


def save_own_images(named: tuple[str, ...], folder: Path) -> tuple[Path, ...]:
    """Those of `named` that are made from this machine, the engine's and the gateway's; no Docker is needed.

    Raises InstallError, BundleNotWritable.
    """
    saved = []
    for spec in (llamacpp_image, gateway_image):
        try:
            image = describe_image(spec())
        except RuntimeMissing:
            continue  # not made here; if the deployment names it, it is missed
        if image.id in named or image.manifest_digest in named:
            saved.append(_keep(folder, image.spec.tag, image.id, partial(image_archive, image)))
    return tuple(saved)


def deliver_images(
    archives: tuple[Path, ...], place: str, state: Path, ca_file: Path | None, progress: Progress
) -> tuple[Delivered, ...]:
    """Into a Docker Engine, a containerd, or the registry that `place` names.

    Raises BundleNoRoom, RuntimeMissing, RuntimeRefused, RegistryRefused, RegistryUnreachable, InstallError.
    """
    found = tuple(map(_archive, archives))
    sizes = (ImageSize((f"sha256:{one.image_id}", *one.digests), one.path.stat().st_size) for one in found)
    judge_image_room(place, tuple(sizes))
    if place == DOCKER:
        return tuple(one for archive in found for one in _into_docker(archive))
    if place == CONTAINERD:
        return tuple(one for archive in found for one in _into_containerd(archive))
    registry = Registry(place, state, ca_file)
    pushed = [registry.push(archive, name, progress) for archive in found for name in archive.references]
    return tuple(Delivered(one.reference, one.pinned, one.large_layers) for one in pushed)


def _archive(path: Path) -> ImageArchive:
    try:
        return read_archive(path)
    except (OSError, ValueError) as error:
        raise _not_loaded(path.name, error) from error


def _into_docker(archive: ImageArchive) -> tuple[Delivered, ...]:
    """Streams it, and asks afterwards for each of its names: a load that drops one says nothing."""
    from docker.errors import DockerException

    client = connect()
    try:
        with archive.path.open("rb") as content:
            client.images.load(content)
        lost = [one for one in archive.references if not has_image(client, one)]
        if not lost:
            return tuple(Delivered(one, str(client.images.get(one).id)) for one in archive.references)
    except (DockerException, OSError) as error:
        raise _not_loaded(archive.path.name, error) from error
    raise _not_loaded(archive.path.name, lost[0])


def _into_containerd(archive: ImageArchive) -> tuple[Delivered, ...]:
    """By `ctr`, which every containerd brings; CONTAINERD_ADDRESS and CONTAINERD_NAMESPACE are its own variables."""
    import os

    if not shutil.which("ctr"):
        raise RuntimeMissing(text("ctr-missing"), hint=text("ctr-missing-hint"))
    namespace = os.environ.get("CONTAINERD_NAMESPACE") or _NAMESPACE
    words = ["ctr", "--namespace", namespace, "images", "import", "--no-unpack", str(archive.path)]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    if run.returncode:
        raise _not_loaded(archive.path.name, (run.stderr.strip() or str(run.returncode)).splitlines()[-1])
    return tuple(Delivered(one, f"sha256:{archive.image_id}") for one in archive.references)


def _not_loaded(name: str, reason: object) -> InstallError:
    return InstallError(text("image-not-loaded", tag=name, reason=reason), hint=text("image-not-loaded-hint"))


def _keep(folder: Path, reference: str, id: str, stream: Callable[[], Iterable[bytes]]) -> Path:
    path = _place(folder, reference, id)
    if is_saved(path):
        return path
    beside = path.with_name(path.name + ".partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            for chunk in stream():
                file.write(chunk)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise BundleNoRoom(text("bundle-filled", path=folder), hint=text("bundle-filled-hint")) from error
        raise BundleNotWritable(
            text("not-writable", path=path, reason=error), hint=text("not-writable-hint")
        ) from error
    return path


def _place(folder: Path, reference: str, id: str) -> Path:
    return folder / f"{re.sub(r'[^A-Za-z0-9.-]+', '-', reference)}-{id.removeprefix('sha256:')[:16]}.tar"


def _judge_room(disk: Path, images_bytes: list[int], beside_bytes: int) -> None:
    """Each goes piece by piece as it is carried."""
    while not disk.exists():
        disk = disk.parent
    free = shutil.disk_usage(disk).free
    payload, around = sum(images_bytes) + beside_bytes, min(PIECE_BYTES, max(images_bytes))
    if payload + around > free:
        shown = {"payload": size_words(payload), "around": size_words(around)}
        message = text("bundle-no-room", path=disk, **shown, there=size_words(0), free=size_words(free))
        raise BundleNoRoom(message, hint=text("bundle-no-room-hint"))
