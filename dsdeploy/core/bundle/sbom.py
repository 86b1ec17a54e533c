"""What a bundle holds as a CycloneDX 1.6 bill of materials; models are `machine-learning-model` components.

https://cyclonedx.org/docs/1.6/json/. The same bundle gives the same bytes.
"""

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

from dsdeploy.core.bundle.names import WHEELS
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
        "components": [*_models(bundle), *(_other(one, bundle) for one in others)],
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
        component |= _known(model)
        yield component


def _known(model: BundleModel) -> dict[str, Any]:
    """What the catalogue adds: licences, the model card, the model that this one was made from."""
    try:
        entry = find_model(model.model_id)
    except UnknownModel:
        return {}
    found = {one.licence_id: one.licence for one in bindings(entry)}
    licences = [
        {"license": {("id" if id in _SPDX else "name"): _SPDX.get(id, one.name), "url": one.source}}
        for id, one in found.items()
    ]
    parameters = {"task": "text-generation", "architectureFamily": "transformer"}
    if classes := (entry.get("architecture") or {}).get("architectures"):
        parameters["modelArchitecture"] = classes[0]
    known: dict[str, Any] = {"modelCard": {"modelParameters": parameters}}
    if licences:
        known["licenses"] = licences
    if base := entry.get("base_model"):
        known["pedigree"] = {"ancestors": [{"type": "machine-learning-model", "name": base}]}
    return known


def _other(file: BundleFile, bundle: Bundle) -> dict[str, Any]:
    """An image by its references and id, a wheel as the package that it is, anything else as a file."""
    image = next((one for one in bundle.images if one.path == file.path), None)
    if image is not None:
        properties = [{"name": "dsdeploy:image-id", "value": f"sha256:{image.image_id}"}]
        properties += [{"name": "dsdeploy:reference", "value": one} for one in image.references]
        return {**_file(file, "container"), "properties": properties}
    wheel = re.fullmatch(rf"{WHEELS}/([^/-]+)-([^/-]+)-[^/]+\.whl", file.path)
    if wheel is None:
        return _file(file, "file")
    name = re.sub(r"[-_.]+", "-", wheel[1]).lower()  # PyPA's normalised name
    return {**_file(file, "library"), "name": name, "version": wheel[2], "purl": f"pkg:pypi/{name}@{wheel[2]}"}


def _file(file: BundleFile, kind: str) -> dict[str, Any]:
    hashes = [{"alg": "SHA-256", "content": file.sha256}]
    return {"type": kind, "bom-ref": f"file:{file.path}", "name": file.path, "hashes": hashes}
