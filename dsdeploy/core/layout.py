"""Where things lie on a machine that dsdeploy serves from: every path in one place.

HOME/weights/<model>/<format>/      files, weights.json beside them once every digest was checked
HOME/releases/<name>/release.json   the Release; plan.yaml and the rendered files beside it
HOME/releases/<name>/secrets/       0700; keys, each file 0600
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
KEYS_FILE = "secrets/api-keys"
RUN_FOLDER = "run"
REVISIONS_FOLDER = "revisions"
COMPOSE_FILE = "compose.yaml"


def compose_project(name: str) -> str:
    """What Docker calls a release: the beginning of its containers' and networks' names."""
    return f"dsdeploy-{name}"


def default_home(environment: dict[str, str]) -> Path:
    """DSDEPLOY_HOME, else the XDG data folder's `dsdeploy`."""
    if environment.get("DSDEPLOY_HOME"):
        return Path(environment["DSDEPLOY_HOME"]).absolute()
    data = environment.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(data) / "dsdeploy"
