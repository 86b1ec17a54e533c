"""Which container images rendered files name: a bundle that lacks one of them would fail inside the gap."""

from collections.abc import Iterator
from typing import Any

import yaml

from dsdeploy.core.bundle.values import BundleImage
from dsdeploy.core.values import RenderedFiles

_HUB = ("docker.io/library/", "docker.io/")


def images_named(rendered: RenderedFiles) -> tuple[str, ...]:
    """Every `image:` of Compose files, manifests and a chart's values, in order.

    One that Compose takes from a variable is left to whoever sets it, and to `--image`.
    """
    found: dict[str, None] = {}
    for file in rendered.files:
        if file.path.endswith((".yaml", ".yml")):
            for document in yaml.safe_load_all(file.content):
                found |= dict.fromkeys(_images(document))
    return tuple(found)


def lacking(named: tuple[str, ...], images: tuple[BundleImage, ...]) -> tuple[str, ...]:
    """Those that no image of the bundle answers to, by a name with a tag, its id or its manifest's digest."""
    ids = {f"sha256:{one.image_id}" for one in images}
    known = {_short(name) for one in images for name in one.references}
    return tuple(one for one in named if one not in ids and _short(one) not in known and _digest(one) not in known)


def _images(document: Any) -> Iterator[str]:
    """`image: NAME`, or a chart's `image: {registry, repository, tag, digest}`."""
    if isinstance(document, list):
        for one in document:
            yield from _images(one)
    if not isinstance(document, dict):
        return
    for key, value in document.items():
        if key == "image" and isinstance(value, str):
            yield from () if "${" in value else (value,)
        elif key == "image" and isinstance(value, dict) and value.get("repository"):
            name = "/".join(str(value[one]) for one in ("registry", "repository") if value.get(one))
            yield f"{name}:{value['tag']}" if value.get("tag") else f"{name}@{value.get('digest')}"
        else:
            yield from _images(value)


def _digest(name: str) -> str:
    """Of `NAME@sha256:…` or `sha256:…` itself; empty where none is named."""
    return name.rpartition("@")[2] if "sha256:" in name else ""


def _short(name: str) -> str:
    """Without the digest behind a tag and without Docker Hub's own prefix: `docker save` keeps neither."""
    head, _, _ = name.partition("@")
    for prefix in _HUB:
        head = head.removeprefix(prefix)
    return head if ":" in head.rsplit("/", 1)[-1] else f"{head}:latest"
