"""What lies in an archive that `docker save` wrote, and where: nothing is unpacked.

Engines write two kinds. The older holds plain tars and no manifest that a registry would know. With images kept in
containerd (the default of new installs from Engine 29 on) layers stay as they were pulled, mostly compressed, below an
index that may also name platforms which are not here: https://github.com/moby/moby/issues/47065, 49473.
"""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsdeploy.core.texts import Malformed, text

_MOST_LINKS = 8
_MOST_DEPTH = 4
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's bytes as they lie, and their digest; compressed where the engine kept them so."""

    digest: str
    at_bytes: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ImageArchive:
    """`references` are the names it was saved by; `image_id` is the SHA-256 of `config`.

    `manifest` is the archive's own, byte for byte, so that a registry gives it the digest it was pulled by; without
    one it is made from the layers. `digests` are those of the archive's manifest and of the indexes above it.
    """

    path: Path
    references: tuple[str, ...]
    image_id: str
    config: bytes
    layers: tuple[Layer, ...]
    manifest: bytes
    manifest_type: str
    digests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Stated:
    content: bytes
    media_type: str
    digests: tuple[str, ...]


def read_archive(path: Path) -> ImageArchive:
    """Reads indexes, manifest and configuration alone. Raises OSError, ValueError."""
    try:
        with tarfile.open(path, "r:") as archive:
            (entry,) = json.loads(_content(archive, "manifest.json"))
            config = _content(archive, entry["Config"])
            image_id = hashlib.sha256(config).hexdigest()
            if image_id not in entry["Config"]:
                raise Malformed(text("reason-not-its-digest", name=entry["Config"]))
            references = tuple(entry.get("RepoTags") or ())
            members = [_member(archive, name) for name in entry["Layers"]]
            stated = _stated(archive, f"sha256:{image_id}", len(members))
            if stated is None:
                digests = json.loads(config)["rootfs"]["diff_ids"]
                layers = tuple(_layer(digest, one) for digest, one in zip(digests, members, strict=True))
                made = _make_manifest(image_id, config, layers)
                return ImageArchive(path, references, image_id, config, layers, made, _MANIFEST)
            said = json.loads(stated.content)["layers"]
            layers = tuple(_layer(one["digest"], _blob(archive, one["digest"])) for one in said)
            if [one.size_bytes for one in layers] != [one["size"] for one in said]:
                raise Malformed(text("reason-layer-size"))
            return ImageArchive(
                path, references, image_id, config, layers, stated.content, stated.media_type, stated.digests
            )
    except tarfile.TarError as error:
        raise Malformed(text("reason-not-tar")) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise Malformed(text("reason-garbled")) from error


def _stated(archive: tarfile.TarFile, config_digest: str, layers: int) -> _Stated | None:
    """The archive's manifest of that configuration; one without its layers (Engine 25.0.0) is as none."""
    if "index.json" not in archive.getnames():
        return None
    index = json.loads(_content(archive, "index.json"))
    for found in _manifests(archive, index, (), _MOST_DEPTH):
        document = json.loads(found.content)
        if document.get("config", {}).get("digest") == config_digest and len(document.get("layers", ())) == layers:
            return found
    return None


def _manifests(
    archive: tarfile.TarFile, index: dict[str, Any], above: tuple[str, ...], depth: int
) -> Iterator[_Stated]:
    """Every manifest that is here, wherever it hangs. Raises ValueError for one whose digest is another."""
    here = set(archive.getnames())
    for one in index.get("manifests") or ():
        digest = str(one["digest"])
        if _blob_name(digest) not in here:
            continue
        content = _content(archive, _blob_name(digest))
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise Malformed(text("reason-not-its-digest", name=digest))
        document = json.loads(content)
        if "manifests" in document and depth:
            yield from _manifests(archive, document, (*above, digest), depth - 1)
        else:
            yield _Stated(content, one.get("mediaType") or _MANIFEST, (*above, digest))


def _make_manifest(image_id: str, config: bytes, layers: tuple[Layer, ...]) -> bytes:
    listed = [{"mediaType": _LAYER, "digest": one.digest, "size": one.size_bytes} for one in layers]
    described = {"mediaType": _CONFIG, "digest": f"sha256:{image_id}", "size": len(config)}
    document = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": described, "layers": listed}
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def _layer(digest: str, member: tarfile.TarInfo) -> Layer:
    return Layer(digest, member.offset_data, member.size)


def _blob(archive: tarfile.TarFile, digest: str) -> tarfile.TarInfo:
    return _member(archive, _blob_name(digest))


def _blob_name(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/', 1)}"


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    file: Any = archive.extractfile(_member(archive, name))
    return bytes(file.read())


def _member(archive: tarfile.TarFile, name: str) -> tarfile.TarInfo:
    """A layer that another image's shares is a link to it."""
    here = name
    for _ in range(_MOST_LINKS):
        try:
            member = archive.getmember(here)
        except KeyError as error:
            raise Malformed(text("reason-lacks", what=here)) from error
        if not member.issym():
            return member
        here = re.sub(r"[^/]+/\.\./", "", (Path(member.name).parent / member.linkname).as_posix())
    raise Malformed(text("reason-endless-link", name=name))
