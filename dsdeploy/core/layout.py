"""Where things lie on a machine that dsdeploy serves from: every path in one place.

HOME/weights/<model>/<format>/      files, weights.json beside them once every digest was checked
HOME/releases/<name>/release.json   the Release; plan.yaml and the rendered files beside it
HOME/releases/<name>/secrets/       0700; keys and certificates, each file 0600
    api-keys                        one key a line: the first key, for whoever installed and for checks
    keys/, tls/, engine/            what the gateway reads: hashed keys, its certificate, the engines' own key
    ca/                             the authority that generated certificates are signed by
HOME/releases/<name>/gateway/       the gateway's configuration
HOME/releases/<name>/run/           pid and state files, logs
HOME/releases/<name>/revisions/     each good revision with its rendered files, for a rollback
"""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    home: Path

    def weights(self, model_id: str, format: str) -> Path:
        return self.home / "weights" / model_id / format

    def release(self, name: str) -> Path:
        return self.home / "releases" / name

    @property
    def lock(self) -> Path:
        return self.home / "lock"


RELEASE_FILE = "release.json"
PLAN_FILE = "plan.yaml"
WEIGHTS_FILE = "weights.json"
SECRETS_FOLDER = "secrets"
KEYS_FILE = "secrets/api-keys"
KEY_MAP_FILE = "secrets/keys/keys.map"
DRAIN_FILE = "secrets/keys/drain"
ENGINE_KEY_FILE = "secrets/engine/engine-key"
CERTIFICATE_FILE = "secrets/tls/tls.crt"
CERTIFICATE_KEY_FILE = "secrets/tls/tls.key"
AUTHORITY_FILE = "secrets/ca/ca.crt"
AUTHORITY_KEY_FILE = "secrets/ca/ca.key"
GATEWAY_FOLDER = "gateway"
MONITORING_FOLDER = "monitoring"
RUN_FOLDER = "run"
SERVICE_FILE = "run/service.json"
REVISIONS_FOLDER = "revisions"
COMPOSE_FILE = "compose.yaml"
VALUES_FILE = "values.yaml"
PLACE_FILE = "cluster.json"
SITE_FILE = "site.yaml"


def compose_project(name: str) -> str:
    """What Docker calls a release: the beginning of its containers' and networks' names."""
    return f"dsdeploy-{name}"


def cluster_service(name: str) -> str:
    """What the chart calls the Service of a release's gateway: its template `dsdeploy.name`."""
    return f"{name}-dsdeploy".replace("dsdeploy-dsdeploy", "dsdeploy")[:40].removesuffix("-")


def cluster_hosts(name: str, namespace: str) -> tuple[str, ...]:
    """The names by which pods of a cluster reach that Service, the one that every pod knows first."""
    service = cluster_service(name)
    full = f"{service}.{namespace}.svc"
    return (full, service, f"{service}.{namespace}", f"{full}.cluster.local")


def default_home(environment: dict[str, str]) -> Path:
    """DSDEPLOY_HOME, else the XDG data folder's `dsdeploy`."""
    if environment.get("DSDEPLOY_HOME"):
        return Path(environment["DSDEPLOY_HOME"]).absolute()
    data = environment.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(data) / "dsdeploy"
