"""What the signed root says, as values."""

import json
from dataclasses import dataclass

from dsdeploy.core.documents import from_document, to_document, unexpected
from dsdeploy.core.texts import Malformed, text

MEDIA_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Blob:
    """One content, whatever files carry it."""

    sha256: str
    size_bytes: int
    sm3: str | None = None


@dataclass(frozen=True, slots=True)
class Extent:
    """A run of a blob's bytes, as one tar member of a volume; `sha256` is of these bytes alone."""

    blob: str
    offset_bytes: int
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Volume:
    name: str
    size_bytes: int
    extents: tuple[Extent, ...]


@dataclass(frozen=True, slots=True)
class BundleFile:
    """`path` is where the file lies in a loaded version, with forward slashes."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class BundleModel:
    """A set of weights: `files` are paths of the bundle in the order an engine reads them."""

    model_id: str
    format: str
    source: str
    revision: str | None
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BundleImage:
    """A container image's archive with the references inside it, and the digests of its manifest and indexes.

    `image_id` is the SHA-256 of its configuration, which names every layer by digest: what a deployment pins.
    """

    path: str
    references: tuple[str, ...]
    image_id: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a site holds, by digest alone: small enough to be carried out by hand, and a base for the next bundle."""

    site: str
    created: str
    blobs: tuple[Blob, ...]


@dataclass(frozen=True, slots=True)
class Base:
    """What the site must already hold; blobs are told by digest, the names are for people.

    `root_sha256` is of the bundle's root or the inventory; an inventory's sequence is 0.
    """

    name: str
    sequence: int
    root_sha256: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """The signed root. Blobs that no volume carries come from the base."""

    format: int
    name: str
    sequence: int
    created: str
    base: Base | None
    models: tuple[BundleModel, ...]
    images: tuple[BundleImage, ...]
    files: tuple[BundleFile, ...]
    blobs: tuple[Blob, ...]
    volumes: tuple[Volume, ...]

    @property
    def carried(self) -> frozenset[str]:
        return frozenset(extent.blob for volume in self.volumes for extent in volume.extents)

    @property
    def carried_bytes(self) -> int:
        carried = self.carried
        return sum(blob.size_bytes for blob in self.blobs if blob.sha256 in carried)


def encode(bundle: Bundle) -> bytes:
    """The one way to write a root: keys sorted, no spaces, UTF-8, one line."""
    plain = json.dumps(to_document(bundle), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return plain.encode() + b"\n"


def decode(content: bytes) -> Bundle:
    """The root that `encode` wrote, and nothing else. Raises ValueError."""
    document = json.loads(content.decode())
    # Older roots may lack what a newer one adds only when `format` says so; today there is one.
    if isinstance(document, dict) and document.get("format") != MEDIA_FORMAT:
        raise unexpected("format", str(MEDIA_FORMAT), document.get("format"))
    bundle = from_document(Bundle, document)
    if encode(bundle) != content:
        raise Malformed(text("reason-not-canonical"))
    return bundle


def decode_base(content: bytes) -> Bundle | Inventory:
    """A root, or what a site wrote of itself. Raises ValueError."""
    document = json.loads(content.decode())
    if isinstance(document, dict) and document.get("kind") == Inventory.__name__:
        return from_document(Inventory, document)
    return decode(content)
