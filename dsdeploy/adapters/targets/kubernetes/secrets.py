"""A release's secrets as Secrets of its namespace: sent through the API, never in arguments, values or Helm records."""

import base64
from pathlib import Path
from typing import Any

from dsdeploy.core.kubernetes import secret_name
from dsdeploy.core.layout import SECRETS_FOLDER
from dsdeploy.core.values import Release

FOLDERS = ("keys", "engine", "tls")


def secrets(release: Release) -> tuple[dict[str, Any], ...]:
    """One for each folder of files that the gateway or the engine reads; keys among them are hashes."""
    return tuple(_secret(release, folder) for folder in FOLDERS)


def _secret(release: Release, folder: str) -> dict[str, Any]:
    place = Path(release.folder) / SECRETS_FOLDER / folder
    files = sorted(one for one in place.iterdir() if one.is_file()) if place.is_dir() else []
    labels = {
        "app.kubernetes.io/managed-by": "dsdeploy",
        "app.kubernetes.io/part-of": "dsdeploy",
        "dsdeploy.io/release": release.name,
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls" if folder == "tls" else "Opaque",
        "metadata": {"name": secret_name(release.name, folder), "labels": labels},
        "data": {one.name: base64.b64encode(one.read_bytes()).decode() for one in files},
    }
