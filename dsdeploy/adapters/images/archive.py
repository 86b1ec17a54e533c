"""An image as one stream that `docker load` takes. The same files give the same image id, on any day and machine.

The layout is that of `docker save` since Engine 25: an OCI image layout (opencontainers/image-spec, image-layout.md)
with Docker's own `manifest.json` beside it, which is what older engines read.
"""

import hashlib
import json
import platform
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsdeploy.core.errors import InstallError
from dsdeploy.core.texts import text

_CHUNK_BYTES = 1 << 20
_BEGINNING = "1970-01-01T00:00:00Z"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # as Go names them


@dataclass(frozen=True, slots=True)
class ImageFile:
    """`place` is absolute inside the image; `source` is a file of this machine, or the content itself."""

    place: str
    source: Path | bytes
    executable: bool = False


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """What an image holds, how it starts and is stopped. `user` is a number; `environment` are NAME=value words;
    `stop_signal` is a name such as SIGUSR1, SIGTERM where None."""

    name: str
    version: str
    files: tuple[ImageFile, ...]
    entrypoint: tuple[str, ...]
    environment: tuple[str, ...]
    user: str
    labels: dict[str, str]
    stop_signal: str | None = None

    @property
    def tag(self) -> str:
        return f"{self.name}:{self.version}"


@dataclass(frozen=True, slots=True)
class Image:
    """An image before it exists: `id` names it in Docker's own store, `manifest_digest` in containerd's."""

    spec: ImageSpec
    id: str
    manifest_digest: str
    layer_digest: str
    layer_bytes: int


def describe_image(spec: ImageSpec) -> Image:
    """The ids that `spec` will have, by reading its files once. Raises InstallError for one that cannot be read."""
    digest, size = hashlib.sha256(), 0
    for chunk in _layer(spec):
        digest.update(chunk)
        size += len(chunk)
    layer = f"sha256:{digest.hexdigest()}"
    config = _json(_config(spec, layer))
    return Image(spec, _sha256(config), _sha256(_json(_manifest(config, layer, size))), layer, size)


def image_archive(image: Image) -> Iterator[bytes]:
    """The stream for `docker load`, in chunks of at most 1 MiB. Raises InstallError."""
    config = _json(_config(image.spec, image.layer_digest))
    manifest = _json(_manifest(config, image.layer_digest, image.layer_bytes))
    described = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": _sha256(manifest),
        "size": len(manifest),
        "annotations": {"io.containerd.image.name": f"docker.io/{image.spec.tag}"},
    }
    old = [{"Config": _blob(_sha256(config)), "RepoTags": [image.spec.tag], "Layers": [_blob(image.layer_digest)]}]
    for name, content in (
        ("oci-layout", _json({"imageLayoutVersion": "1.0.0"})),
        ("index.json", _json({"schemaVersion": 2, "manifests": [described]})),
        ("manifest.json", _json(old)),
        (_blob(_sha256(config)), config),
        (_blob(_sha256(manifest)), manifest),
    ):
        yield from _entry(name, iter((content,)), len(content))
    yield from _entry(_blob(image.layer_digest), _layer(image.spec), image.layer_bytes)
    yield _END


def _layer(spec: ImageSpec) -> Iterator[bytes]:
    folders = {str(parent).strip("/") for one in spec.files for parent in Path(one.place).parents} - {""}
    for name in sorted(folders | {"tmp"}):
        yield from _entry(name, iter(()), 0, tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755)
    for one in sorted(spec.files, key=lambda file: file.place):
        mode = 0o755 if one.executable else 0o644
        if isinstance(one.source, bytes):
            yield from _entry(one.place.strip("/"), iter((one.source,)), len(one.source), mode=mode)
            continue
        try:
            size = one.source.stat().st_size
            yield from _entry(one.place.strip("/"), _read(one.source), size, mode=mode)
        except OSError as error:
            raise InstallError(
                text("image-file-unreadable", path=one.source, reason=error),
                hint=text("image-file-unreadable-hint"),
            ) from error
    yield _END


def _entry(
    name: str, content: Iterator[bytes], size: int, type: bytes = tarfile.REGTYPE, mode: int = 0o644
) -> Iterator[bytes]:
    """One member of a tar stream: owned by root, dated 1970. Raises OSError when `content` is not `size` bytes."""
    info = tarfile.TarInfo(name)
    info.size, info.type, info.mode, info.mtime = size, type, mode, 0
    yield info.tobuf(tarfile.PAX_FORMAT)
    given = 0
    for chunk in content:
        given += len(chunk)
        yield chunk
    if given != size:
        raise OSError(f"{name} changed while it was read: {given:,} bytes instead of {size:,}")
    yield b"\0" * (-size % tarfile.BLOCKSIZE)


_END = b"\0" * (2 * tarfile.BLOCKSIZE)


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _config(spec: ImageSpec, layer_digest: str) -> dict[str, Any]:
    return {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": _BEGINNING,
        "config": {
            "User": spec.user,
            "Env": list(spec.environment),
            "Entrypoint": list(spec.entrypoint),
            "WorkingDir": "/",
            "Labels": spec.labels,
            **({"StopSignal": spec.stop_signal} if spec.stop_signal else {}),
        },
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
        "history": [{"created": _BEGINNING, "created_by": "dsdeploy"}],
    }


def _manifest(config: bytes, layer_digest: str, layer_bytes: int) -> dict[str, Any]:
    kind = "application/vnd.oci.image"
    return {
        "schemaVersion": 2,
        "mediaType": f"{kind}.manifest.v1+json",
        "config": {"mediaType": f"{kind}.config.v1+json", "digest": _sha256(config), "size": len(config)},
        "layers": [{"mediaType": f"{kind}.layer.v1.tar", "digest": layer_digest, "size": layer_bytes}],
    }


def _json(content: object) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"
