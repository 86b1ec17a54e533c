"""What lies in an archive that `docker save` wrote, and where: nothing is unpacked."""

import json
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MOST_LINKS = 8


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's bytes: an uncompressed tar, whose digest the configuration states."""

    digest: str
    at_bytes: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ImageArchive:
    """`references` are the names it was saved by; `image_id` is the SHA-256 of `config`."""

    path: Path
    references: tuple[str, ...]
    image_id: str
    config: bytes
    layers: tuple[Layer, ...]


def read_archive(path: Path) -> ImageArchive:
    """Reads the index and the configuration alone. Raises OSError, ValueError."""
    try:
        with tarfile.open(path, "r:") as archive:
            (entry,) = json.loads(_content(archive, "manifest.json"))
            config = _content(archive, entry["Config"])
            image_id = re.search(r"[0-9a-f]{64}", entry["Config"])
            members = [_member(archive, name) for name in entry["Layers"]]
            digests = json.loads(config)["rootfs"]["diff_ids"]
            layers = zip(digests, members, strict=True)
            found = tuple(Layer(digest, one.offset_data, one.size) for digest, one in layers)
            return ImageArchive(path, tuple(entry.get("RepoTags") or ()), str(image_id and image_id[0]), config, found)
    except (KeyError, TypeError, AttributeError, tarfile.TarError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    file: Any = archive.extractfile(name)
    return bytes(file.read())


def _member(archive: tarfile.TarFile, name: str) -> tarfile.TarInfo:
    """A layer that another image's shares is a link to it."""
    member = archive.getmember(name)
    for _ in range(_MOST_LINKS):
        if not member.issym():
            return member
        folder = Path(member.name).parent / member.linkname
        member = archive.getmember(re.sub(r"[^/]+/\.\./", "", folder.as_posix()))
    raise ValueError(f"{name} is a link to a link without end")
