"""A loaded version as an OCI image layout with a ModelPack manifest for each model, so that skopeo and oras read it.

All of it follows from the signed root; the blobs are links to the files that are there.
https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md,
https://github.com/modelpack/model-spec/blob/main/docs/{spec,config,annotations}.md.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dsdeploy.core.bundle.values import Bundle, BundleModel

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_MODEL = "application/vnd.cncf.model.manifest.v1+json"
_CONFIG = "application/vnd.cncf.model.config.v1+json"
_WEIGHT = "application/vnd.cncf.model.weight.v1.raw"
_WEIGHT_CONFIG = "application/vnd.cncf.model.weight.config.v1.raw"
_DOC = "application/vnd.cncf.model.doc.v1.raw"


@dataclass(frozen=True, slots=True)
class OciLayout:
    """`texts` are small files by path; `links` say which file of the bundle each other blob is."""

    texts: dict[str, bytes]
    links: dict[str, str]


def oci_layout(bundle: Bundle) -> OciLayout:
    """Paths are relative to the layout, targets to the version's `files`."""
    texts: dict[str, bytes] = {"oci-layout": _plain({"imageLayoutVersion": "1.0.0"})}
    manifests = []
    digests = {file.path: file.sha256 for file in bundle.files}
    links = {_blob(digests[path]): path for model in bundle.models for path in model.files}
    for model in bundle.models:
        config, manifest = _model(bundle, model)
        for content in (config, manifest):
            texts[_blob(hashlib.sha256(content).hexdigest())] = content
        name = {"org.opencontainers.image.ref.name": f"{model.model_id}-{model.format}"}
        manifests.append({**_descriptor(_MANIFEST, manifest), "artifactType": _MODEL, "annotations": name})
    texts["index.json"] = _plain({"schemaVersion": 2, "manifests": manifests})
    return OciLayout(texts, links)


def _model(bundle: Bundle, model: BundleModel) -> tuple[bytes, bytes]:
    layers = list(_layers(bundle, model))
    described: dict[str, Any] = {"createdAt": bundle.created, "name": model.model_id}
    if model.revision:
        described["revision"] = model.revision
    weights_format = "gguf" if model.format.startswith("gguf") else "safetensors"
    config = _plain(
        {
            "descriptor": described,
            "config": {"architecture": "transformer", "format": weights_format, "quantization": model.format},
            "modelfs": {"type": "layers", "diffIds": [one["digest"] for one in layers]},
        }
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "artifactType": _MODEL,
        "config": _descriptor(_CONFIG, config),
        "layers": layers,
    }
    return config, _plain(manifest)


def _layers(bundle: Bundle, model: BundleModel) -> Iterator[dict[str, Any]]:
    sizes = {blob.sha256: blob.size_bytes for blob in bundle.blobs}
    digests = {file.path: file.sha256 for file in bundle.files}
    folder = f"weights/{model.model_id}/{model.format}/"
    for path in model.files:
        name = path.removeprefix(folder)
        yield {
            "mediaType": _kind(name),
            "digest": f"sha256:{digests[path]}",
            "size": sizes[digests[path]],
            "annotations": {"org.cncf.model.filepath": name},
        }


def _kind(name: str) -> str:
    if name.lower().endswith((".safetensors", ".gguf")):
        return _WEIGHT
    return _WEIGHT_CONFIG if name.endswith((".json", ".jinja", ".model", ".tiktoken")) else _DOC


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}


def _blob(sha256: str) -> str:
    return f"blobs/sha256/{sha256}"


def _plain(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
