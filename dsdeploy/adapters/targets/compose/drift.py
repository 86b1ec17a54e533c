"""What of a project runs otherwise than a rendered file, and the key on disk, say."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from dsdeploy.adapters.targets.compose.binary import config_hashes
from dsdeploy.adapters.targets.compose.docker_engine import containers_of
from dsdeploy.adapters.targets.compose.roll import half_drained
from dsdeploy.adapters.targets.compose.up import SERVICE_LABEL, engines_of, health_of
from dsdeploy.core.layout import ENGINE_KEY_FILE, compose_project
from dsdeploy.core.values import Release

if TYPE_CHECKING:
    from docker import DockerClient

_HASH_LABEL = "com.docker.compose.config-hash"


def as_rendered(client: "DockerClient", release: Release, content: str) -> bool:
    """Whether every service runs healthy, as `content` says, and engines with the key that lies on disk now."""
    hashes = config_hashes(compose_project(release.name), content, Path(release.folder))
    found = {one.labels.get(SERVICE_LABEL): one for one in containers_of(client, compose_project(release.name))}
    known = {*hashes, *yaml.safe_load(content)["services"]}
    if half_drained(release) or not set(hashes) <= set(found) <= known:
        return False
    return not stale(client, release, content) and all(
        found[service].labels.get(_HASH_LABEL) == hash and health_of(found[service]) in ("healthy", None)
        and found[service].status == "running"
        for service, hash in hashes.items()
    )  # fmt: skip


def stale(client: "DockerClient", release: Release, content: str) -> list[str]:
    """The engines that run otherwise than `content` and the key on disk say."""
    hashes = config_hashes(compose_project(release.name), content, Path(release.folder))
    return [
        str(one.labels[SERVICE_LABEL])
        for one in engines_of(client, compose_project(release.name))
        if (wanted := hashes.get(one.labels[SERVICE_LABEL]))
        and (one.labels.get(_HASH_LABEL) != wanted or key_newer(release, one))
    ]


def key_newer(release: Release, engine: Any) -> bool:
    """An engine reads its key once, when it starts."""
    started = datetime.fromisoformat(engine.attrs["State"]["StartedAt"].split(".")[0].rstrip("Z") + "+00:00")
    try:
        return int((Path(release.folder) / ENGINE_KEY_FILE).stat().st_mtime) > started.timestamp()
    except OSError:
        return True
