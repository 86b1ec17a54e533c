"""The Docker Engine, asked through its own library; its refusals become named errors here."""

import os
import shutil
from typing import TYPE_CHECKING, Any

from dsdeploy.adapters.images.archive import Image, image_archive
from dsdeploy.core.errors import InstallError, RuntimeMissing, RuntimeRefused
from dsdeploy.core.texts import text

if TYPE_CHECKING:
    from docker import DockerClient

DEFAULT_HOST = "unix:///var/run/docker.sock"
_TIMEOUT_S = 120
_OWN_STORE = "io.containerd.snapshotter.v1"  # `docker info`, DriverStatus, where images live in containerd


def docker_host() -> str:
    return os.environ.get("DOCKER_HOST") or DEFAULT_HOST


def connect() -> "DockerClient":
    """An engine that answers. Raises RuntimeMissing, RuntimeRefused."""
    import docker
    from docker.errors import DockerException

    place = docker_host()
    try:
        client = docker.from_env(timeout=_TIMEOUT_S, environment={**os.environ, "DOCKER_HOST": place})
        client.ping()
    except DockerException as error:
        reasons = list(_reasons(error))
        if any(isinstance(one, PermissionError) for one in reasons):
            raise RuntimeRefused(text("docker-denied", place=place), hint=text("docker-denied-hint")) from error
        if not shutil.which("dockerd") and not shutil.which("docker"):
            raise RuntimeMissing(text("docker-missing"), hint=text("docker-missing-hint")) from error
        raise RuntimeRefused(
            text("docker-silent", place=place, reason=reasons[-1]), hint=text("docker-silent-hint")
        ) from error
    return client


def image_reference(client: "DockerClient", image: Image) -> str:
    """The id under which this engine keeps `image`: its configuration's digest, or its manifest's in containerd."""
    status = client.info().get("DriverStatus") or []
    return image.manifest_digest if any(_OWN_STORE in row for row in status) else image.id


def has_image(client: "DockerClient", reference: str) -> bool:
    from docker.errors import ImageNotFound

    try:
        client.images.get(reference)
    except ImageNotFound:
        return False
    return True


def load_image(client: "DockerClient", image: Image) -> None:
    """Streams `image` into the engine. Raises InstallError when what it holds then is not that image."""
    from docker.errors import DockerException

    reference = image_reference(client, image)
    reason = f"{reference} is not there"
    try:
        client.images.load(image_archive(image))
        if has_image(client, reference):
            return
    except (DockerException, OSError) as error:
        reason = str(error)
    raise InstallError(text("image-not-loaded", tag=image.spec.tag, reason=reason), hint=text("image-not-loaded-hint"))


def remove_image(client: "DockerClient", reference: str) -> None:
    """Raises InstallError."""
    from docker.errors import APIError

    try:
        client.images.remove(reference, force=True)
    except APIError as error:
        reason = str(error.explanation or error)
        raise InstallError(text("compose-failed", reason=reason), hint=text("compose-failed-hint")) from error


def lone_images(client: "DockerClient", references: tuple[str, ...], containers: tuple[Any, ...]) -> tuple[str, ...]:
    """Those of `references` that are here and that nothing but `containers` needs."""
    ours = {one.id for one in containers}

    def needed(reference: str) -> bool:
        return any(
            one.id not in ours
            for one in client.containers.list(all=True, ignore_removed=True, filters={"ancestor": reference})
        )

    return tuple(one for one in references if has_image(client, one) and not needed(one))


def containers_of(client: "DockerClient", project: str) -> tuple[Any, ...]:
    """Every container of a Compose project, stopped ones too."""
    return tuple(
        client.containers.list(
            all=True, ignore_removed=True, filters={"label": f"com.docker.compose.project={project}"}
        )
    )


def networks_of(client: "DockerClient", project: str) -> tuple[Any, ...]:
    return tuple(client.networks.list(filters={"label": f"com.docker.compose.project={project}"}))


def _reasons(error: BaseException) -> "list[BaseException]":
    """What lies below a library's error, outermost first: it wraps the system's own several times."""
    found: list[BaseException] = [error]
    for inner in (*error.args, error.__cause__, error.__context__):
        if isinstance(inner, BaseException) and inner not in found:
            found += _reasons(inner)
    return found
