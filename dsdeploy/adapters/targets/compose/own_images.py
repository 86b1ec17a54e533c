"""The images that this machine makes itself: the engine where a plan names no image, and the gateway."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from dsdeploy.adapters.images.archive import Image, ImageSpec, describe_image
from dsdeploy.adapters.images.gateway import GATEWAY_NAME, gateway_image
from dsdeploy.adapters.targets.compose import docker_engine as docker
from dsdeploy.core.errors import ImageAbsent, RuntimeMissing, RuntimeRefused
from dsdeploy.core.sizes import size_words
from dsdeploy.core.texts import text
from dsdeploy.core.values import Operation

if TYPE_CHECKING:
    from docker import DockerClient


class OwnImages:
    """Described once, by reading their files. Any of it may raise RuntimeMissing, InstallError."""

    def __init__(self, engine: Callable[[], ImageSpec]) -> None:
        self._spec = engine

    @property
    def engine_reference(self) -> str:
        return _reference(self._engine)

    @property
    def gateway_reference(self) -> str:
        """Of the image that HAProxy here would make; without one, of the image that a bundle has brought."""
        try:
            return _reference(self._gateway)
        except RuntimeMissing:
            loaded = docker.connect().images.list(name=GATEWAY_NAME)
            if not loaded:
                raise
            return str(loaded[0].id)

    def builds(self, client: "DockerClient", wanted: tuple[str, ...]) -> tuple[Operation, ...]:
        """Those of `wanted` that are to be made. Raises ImageAbsent for one of somebody else's that is not here."""
        absent = [one for one in wanted if not docker.has_image(client, one)]
        return tuple(
            Operation("build-image", {"tag": one.spec.tag, "size": size_words(one.layer_bytes)})
            for one in map(self._ours, absent)
        )

    def load(self, client: "DockerClient", tag: str) -> None:
        docker.load_image(client, self._engine if self._engine.spec.tag == tag else self._gateway)

    @cached_property
    def _engine(self) -> Image:
        return describe_image(self._spec())

    @cached_property
    def _gateway(self) -> Image:
        return describe_image(gateway_image())

    def _ours(self, reference: str) -> Image:
        if reference == self.engine_reference:
            return self._engine
        if reference == self.gateway_reference:
            return self._gateway
        raise ImageAbsent(text("image-absent", image=reference), hint=text("image-absent-hint"))


def _reference(image: Image) -> str:
    try:
        return docker.image_reference(docker.connect(), image)
    except (RuntimeMissing, RuntimeRefused):
        return image.id
