"""Replaces engines one after the other behind a running gateway, so that no answer is lost where there are two."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from dsdeploy.adapters.endpoint import Endpoint
from dsdeploy.adapters.gateway.keys import write_owned
from dsdeploy.adapters.gateway.state import METRICS_PORT, GatewayState, wait_until
from dsdeploy.adapters.targets.compose.up import SERVICE_LABEL, compose_up, engines_of, gateway_of, health_of
from dsdeploy.core.errors import EnginesNotTaken
from dsdeploy.core.layout import COMPOSE_FILE, DRAIN_FILE, compose_project
from dsdeploy.core.texts import text
from dsdeploy.core.values import Release

if TYPE_CHECKING:
    from docker import DockerClient

_SEEN_S = 120
_DRAIN_S = 600


def inner_endpoint(gateway: Any, project: str) -> Endpoint:
    """Where a running gateway tells of itself: its address on the network that this host is on, too."""
    networks = gateway.attrs["NetworkSettings"]["Networks"]
    return Endpoint(networks[f"{project}_door"]["IPAddress"], METRICS_PORT)


def roll(client: "DockerClient", release: Release, services: tuple[str, ...]) -> None:
    """Drains, replaces and takes back each of `services`. An answer that takes longer than ten minutes, or than the
    engine's grace period, is cut off then.

    Engines that serve nobody come first, undrained. Raises as `compose_up`, and EnginesNotTaken where the gateway does
    not see all of them ready: then nothing is drained, since the others might be none.
    """
    project = compose_project(release.name)
    grace = _grace_periods(release)
    drain = Path(release.folder) / DRAIN_FILE
    before = {one.labels[SERVICE_LABEL]: one for one in engines_of(client, project)}
    idle = [name for name, one in before.items() if name in grace and not _serves(one)]
    if idle:
        compose_up(client, release, *idle, recreate=False)
    for service in services:
        _wait_for_all(client, project)
        engine = next(one for one in engines_of(client, project) if one.labels[SERVICE_LABEL] == service)
        if engine.id != before[service].id:
            continue
        inner = inner_endpoint(gateway_of(client, project), project)
        address = engine.attrs["NetworkSettings"]["Networks"][f"{project}_closed"]["IPAddress"]
        try:
            write_owned(drain, f"{address}\n")
            wait_until(inner, partial(_idle, address=address), max(grace[service], _DRAIN_S))
            compose_up(client, release, service, recreate=True)
        finally:
            take_back(release)
    _wait_for_all(client, project)


def _serves(engine: Any) -> bool:
    """A container that was stopped keeps the health that it had."""
    return engine.status == "running" and health_of(engine) == "healthy"


def _wait_for_all(client: "DockerClient", project: str) -> None:
    count = len(engines_of(client, project))
    inner = inner_endpoint(gateway_of(client, project), project)
    if not wait_until(inner, partial(_all_ready, count=count), _SEEN_S):
        message = text("engines-not-taken", count=count, seconds=_SEEN_S)
        raise EnginesNotTaken(message, hint=text("engines-not-taken-hint"))


def half_drained(release: Release) -> bool:
    """Whether a replacement was interrupted: an engine is kept from its work."""
    drain = Path(release.folder) / DRAIN_FILE
    return drain.exists() and drain.stat().st_size > 0


def take_back(release: Release) -> None:
    """Lets every engine work again."""
    if half_drained(release):
        write_owned(Path(release.folder) / DRAIN_FILE, "")


def _idle(state: GatewayState, address: str) -> bool:
    own = [one for one in state.upstreams if one.address == address]
    return all(not one.state.startswith("UP") and one.running == 0 for one in own)


def _all_ready(state: GatewayState, count: int) -> bool:
    """By address: two places of the gateway may hold one engine for a moment, as it learns their addresses."""
    return len({one.address for one in state.upstreams if one.state.startswith("UP")}) >= count


def _grace_periods(release: Release) -> dict[str, int]:
    services = yaml.safe_load((Path(release.folder) / COMPOSE_FILE).read_text(encoding="utf-8"))["services"]
    return {
        name: int(str(one["stop_grace_period"]).removesuffix("s"))
        for name, one in services.items() if "stop_grace_period" in one
    }  # fmt: skip
