"""What a bundle holds as a CycloneDX 1.6 bill of materials; models are `machine-learning-model` components.

https://cyclonedx.org/docs/1.6/json/. The same bundle gives the same bytes.
"""

import json
import uuid
from collections.abc import Iterator
from typing import Any

from dsdeploy.core.bundle.values import Bundle, BundleFile, BundleModel
from dsdeploy.core.catalogue import find_model
from dsdeploy.core.errors import UnknownModel
from dsdeploy.core.licences import bindings

_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # RFC 9562, appendix: names that are URLs
_SPDX = {"mit": "MIT", "apache-2.0": "Apache-2.0"}


def sbom(bundle: Bundle, tool_version: str) -> str:
    """The document, with the digest of every file and the licences of every model that the catalogue knows."""
    models = {path for model in bundle.models for path in model.files}
    others = (file for file in bundle.files if file.path not in models)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{bundle.name}/{bundle.sequence}/{bundle.created}')}",
        "version": 1,
        "metadata": {
            "timestamp": bundle.created,
            "tools": {"components": [{"type": "application", "name": "dsdeploy", "version": tool_version}]},
            "component": {"type": "data", "name": bundle.name, "version": str(bundle.sequence)},
        },
        "components": [*_models(bundle), *(_file(one, _kind(one, bundle)) for one in others)],
    }
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _models(bundle: Bundle) -> Iterator[dict[str, Any]]:
    digests = {file.path: file for file in bundle.files}
    for model in bundle.models:
        component: dict[str, Any] = {
            "type": "machine-learning-model",
            "bom-ref": f"model:{model.model_id}:{model.format}",
            "name": model.model_id,
            "version": model.revision or "unknown",
            "properties": [
                {"name": "dsdeploy:format", "value": model.format},
                {"name": "dsdeploy:source", "value": model.source},
            ],
            "components": [_file(digests[path], "file") for path in model.files],
        }
        if licences := _licences(model):
            component["licenses"] = licences
        yield component


def _licences(model: BundleModel) -> list[dict[str, Any]]:
    try:
        found = {one.licence_id: one.licence for one in bindings(find_model(model.model_id))}
    except UnknownModel:
        return []
    return [
        {"license": {("id" if id in _SPDX else "name"): _SPDX.get(id, one.name), "url": one.source}}
        for id, one in found.items()
    ]


def _kind(file: BundleFile, bundle: Bundle) -> str:
    return "container" if any(file.path == image.path for image in bundle.images) else "file"


def _file(file: BundleFile, kind: str) -> dict[str, Any]:
    hashes = [{"alg": "SHA-256", "content": file.sha256}]
    return {"type": kind, "bom-ref": f"file:{file.path}", "name": file.path, "hashes": hashes}
