"""Container images as archives: out of a Docker Engine where the bundle is built, into one at the site."""

import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from dsdeploy.adapters.images.archive import describe_image, image_archive
from dsdeploy.adapters.images.gateway import gateway_image
from dsdeploy.adapters.images.llamacpp import llamacpp_image
from dsdeploy.adapters.targets.compose.docker_engine import connect
from dsdeploy.core.errors import BundleNotWritable, ImageMissing, InstallError
from dsdeploy.core.texts import text


def save_images(references: tuple[str, ...], folder: Path) -> tuple[Path, ...]:
    """One `docker save` archive a reference. One that is whole is kept. Raises ImageMissing, BundleNotWritable."""
    from docker.errors import DockerException

    if not references:
        return ()
    client = connect()
    paths = []
    for reference in references:
        try:
            image = client.images.get(reference)
            paths.append(_keep(folder, reference, image.id, partial(image.save, named=True)))
        except DockerException as error:
            raise ImageMissing(
                text("bundle-image-missing", image=reference, reason=error), hint=text("bundle-image-missing-hint")
            ) from error
    return tuple(paths)


def save_own_images(folder: Path) -> tuple[Path, ...]:
    """The images that a Compose install runs, made from this machine's engine and HAProxy; no Docker is needed.

    Raises RuntimeMissing, InstallError, BundleNotWritable.
    """
    images = map(describe_image, (llamacpp_image(), gateway_image()))
    return tuple(_keep(folder, one.spec.tag, one.id, partial(image_archive, one)) for one in images)


def load_images(archives: tuple[Path, ...]) -> None:
    """Streams each into the local engine. Raises RuntimeMissing, RuntimeRefused, InstallError."""
    from docker.errors import DockerException

    if not archives:
        return
    client = connect()
    for path in archives:
        try:
            with path.open("rb") as archive:
                client.images.load(archive)
        except (DockerException, OSError) as error:
            raise InstallError(
                text("image-not-loaded", tag=path.name, reason=error), hint=text("image-not-loaded-hint")
            ) from error


def _keep(folder: Path, reference: str, id: str, stream: Callable[[], Iterable[bytes]]) -> Path:
    path = folder / f"{re.sub(r'[^A-Za-z0-9.-]+', '-', reference)}-{id.removeprefix('sha256:')[:16]}.tar"
    if path.exists():
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
        raise BundleNotWritable(
            text("not-writable", path=path, reason=error.strerror or error), hint=text("not-writable-hint")
        ) from error
    return path
