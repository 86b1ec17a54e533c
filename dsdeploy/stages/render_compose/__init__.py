"""Turns a plan into a Compose project: engines with no way out, and a gateway before them. Pure.

One machine is one project. A replica over several machines is one project a machine, in folders `node-0`, `node-1` …
"""

import hashlib
import ipaddress
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

import dsdeploy
from dsdeploy.adapters.images import Images
from dsdeploy.adapters.images.llamacpp import PROBE, PYTHON
from dsdeploy.adapters.templates import gateway_files
from dsdeploy.core.deployment import Launch, Place
from dsdeploy.core.errors import RenderError
from dsdeploy.core.gateway import gateway_limits
from dsdeploy.core.layout import (
    CERTIFICATE_FILE,
    COMPOSE_FILE,
    ENGINE_KEY_FILE,
    GATEWAY_FOLDER,
    KEY_MAP_FILE,
    MONITORING_FOLDER,
    PLAN_FILE,
    SECRETS_FOLDER,
    compose_project,
)
from dsdeploy.core.texts import text
from dsdeploy.core.values import Plan, Release, RenderedFile, RenderedFiles
from dsdeploy.stages.render_compose.monitoring import monitoring_files
from dsdeploy.stages.render_compose.words import filled, systemd_word

_WEIGHTS = "/weights"
_ENGINE_KEY = "/run/secrets/engine-key"
_ENGINE_PORT = 8000
_GATEWAY_PORT = 8443
_GATEWAY_DRAIN_S = 30
_STOP_S = 60  # for Docker itself
_UPSTREAM = "engines"
_LOAD_BYTES_PER_S = 100_000_000  # a slow disk; probes fail unpunished no shorter than reading the weights from it
_NVIDIA = "nvidia.com/gpu"
_USERS = "passwd"


def render_compose(
    plan: Plan, plan_text: str, release: Release, launch: Callable[[Place], Launch], images: Images
) -> RenderedFiles:
    """Everything the release's folder holds but secrets. Raises RenderError."""
    nodes = plan.deployment.nodes
    if nodes > 1 and plan.deployment.replicas > 1:
        raise RenderError(text("compose-one-replica"), hint=text("compose-one-replica-hint"))
    gateway = tuple(RenderedFile(f"{GATEWAY_FOLDER}/{name}", content) for name, content in gateway_files().items())
    folders = tuple("" if nodes == 1 else f"node-{rank}/" for rank in range(nodes))
    projects = (
        RenderedFile(folder + COMPOSE_FILE, _project(plan, release, launch, images, gateway, rank))
        for rank, folder in enumerate(folders)
    )
    leader = launch(_place(plan, release, 0))
    users = (RenderedFile(f"{folder}{_USERS}", _users(images)) for folder in folders if leader.looked_up)
    unit = RenderedFile(f"dsdeploy-{release.name}.service", _unit(plan, release, leader))
    monitoring = monitoring_files(plan.engine, leader, _UPSTREAM, _start_s(release, leader)) if nodes == 1 else ()
    return RenderedFiles(
        "compose", (RenderedFile(PLAN_FILE, plan_text), *projects, *users, unit, *gateway, *monitoring)
    )


def _project(
    plan: Plan,
    release: Release,
    launch: Callable[[Place], Launch],
    images: Images,
    gateway: tuple[RenderedFile, ...],
    rank: int,
) -> str:
    several = plan.deployment.nodes > 1
    started = launch(_place(plan, release, rank))
    engines = [_engine(plan, release, started, images, number, rank) for number in range(plan.deployment.replicas)]
    content = filled(
        "compose/compose.yaml.j2",
        title=f"{release.name}: {plan.model_id} {plan.format}, rendered by dsdeploy {dsdeploy.__version__}",
        project=compose_project(release.name),
        user=images.user,
        host_network=several,
        rank=rank,
        nodes=plan.deployment.nodes,
        engines=engines,
        gateway=_gateway(plan, release, started, images, gateway) if rank == 0 else None,
        upstream=_UPSTREAM,
        engine_key=_ENGINE_KEY,
        engine_key_file=str(Path(release.folder) / ENGINE_KEY_FILE),
        grafana_password_file=str(Path(release.folder) / SECRETS_FOLDER / "grafana-password"),
        weights=release.weights.directory,
        weights_place=_WEIGHTS,
        monitoring=str(Path(release.folder) / MONITORING_FOLDER),
        host=_address(release.host),
        port=release.port,
    )  # fmt: skip
    service = yaml.safe_load(content)["services"]["engine"]
    if [*service["entrypoint"], *service["command"]] != [one.replace("$", "$$") for one in started.argv]:
        raise RenderError(text("compose-broken"), hint=text("compose-broken-hint"))
    return content


def _place(plan: Plan, release: Release, rank: int) -> Place:
    """Where a node runs; where there are several its API is heard by the gateway beside it alone."""
    several = plan.deployment.nodes > 1
    if several and len(plan.hosts) < plan.deployment.nodes:
        raise RenderError(text("compose-hosts-missing", nodes=plan.deployment.nodes), hint=text("compose-hosts-hint"))
    name = release.weights.main_file
    return Place(
        weights=f"{_WEIGHTS}/{name}" if name.endswith(".gguf") else _WEIGHTS,
        served_name=plan.model_id,
        keys_file=_ENGINE_KEY,
        host="127.0.0.1" if several else "0.0.0.0",
        port=_ENGINE_PORT,
        leader_address=plan.hosts[0] if several else "127.0.0.1",
        node_rank=str(rank),
        peer_address=plan.hosts[0 if rank else 1] if several else "",
    )


def _engine(plan: Plan, release: Release, launch: Launch, images: Images, number: int, rank: int) -> dict[str, Any]:
    """One service of the template. Devices by number: replicas take them one after the other."""
    on_cpu = plan.device == "cpu"
    width = plan.deployment.devices_per_node
    own = tuple(_device_id(plan, rank, one) for one in range(number * width, (number + 1) * width))
    nvidia = launch.resource == _NVIDIA
    scratch = "noexec,size=64m" if on_cpu else "exec,size=8g"  # kernels compiled at start are loaded from there
    return {
        "name": "engine" if number == 0 else f"engine-{number + 1}",
        "image": launch.image or images.engine,
        "entrypoint": launch.argv[:1],
        "command": launch.argv[1:],
        "environment": launch.environment | ({launch.visible: ",".join(own)} if launch.visible else {}),
        "runtime": None if nvidia else launch.runtime,
        "device_ids": own if nvidia else (),
        "devices": tuple(f"{node}:{node}" for one in launch.devices for node in _nodes(one, own)),
        "groups": launch.groups,
        "pids": 1024 if on_cpu else 16384,
        "memory_bytes": plan.memory.needed_bytes if on_cpu else None,
        "shm_bytes": launch.shm_bytes,
        "ulimits": launch.ulimits,
        "tmpfs": tuple(f"{one}:rw,nosuid,nodev,{scratch},mode=1777" for one in launch.writable),
        "mounts": launch.mounts,
        "users": f"./{_USERS}" if launch.looked_up else None,
        "drain_s": launch.drain_s,
        "probe": ("CMD", *_probe(launch)) if rank == 0 else None,
        "start_s": _start_s(release, launch),
    }


def _probe(launch: Launch) -> tuple[str, ...]:
    """Asks with what the image has: ours its script, an engine in Python its own, llama.cpp's server images curl alone
    (ggml-org/llama.cpp@00d69466, .devops/cuda.Dockerfile, whose health check is the same)."""
    url = f"http://127.0.0.1:{launch.port}{launch.ready_path}"
    if launch.image is None:
        return (*PYTHON, PROBE, "127.0.0.1", str(launch.port), launch.ready_path)
    if launch.argv[0] == "python3":
        return ("python3", "-c", f"import urllib.request as r; r.urlopen({url!r}, timeout=4)")
    return ("curl", "--fail", "--silent", "--output", "/dev/null", "--max-time", "4", url)


def _start_s(release: Release, launch: Launch) -> int:
    return launch.load_s + sum(one.size_bytes for one in release.weights.files) // _LOAD_BYTES_PER_S


def _nodes(pattern: str, numbers: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(pattern.format(n=one) for one in numbers) if "{n}" in pattern else (pattern,)


def _device_id(plan: Plan, rank: int, number: int) -> str:
    """A whole device by its number there; a MIG instance by its card's number and its own on it: NVIDIA's container
    toolkit takes both. Raises RenderError where the plan names too few devices."""
    if plan.deployment.slice is not None:
        return ":".join(map(str, divmod(number, plan.deployment.slices_per_card)))
    if not plan.device_indices:
        return str(number)
    there = dict(enumerate(plan.device_indices[rank])) if rank < len(plan.device_indices) else {}
    if number not in there:
        raise RenderError(text("compose-devices-missing"), hint=text("compose-devices-missing-hint"))
    return str(there[number])


def _users(images: Images) -> str:
    """/etc/passwd of an engine that looks up its user there."""
    return f"root:x:0:0::/root:/bin/sh\ndsdeploy:x:{images.user}::/tmp:/usr/sbin/nologin\n"


def _gateway(
    plan: Plan, release: Release, launch: Launch, images: Images, files: tuple[RenderedFile, ...]
) -> dict[str, Any]:
    several = plan.deployment.nodes > 1
    folder = Path(release.folder)
    limits = gateway_limits(plan.users, plan.context_tokens)
    environment = {
        "ENGINE_HOST": "127.0.0.1" if several else _UPSTREAM,
        "ENGINE_PORT": str(launch.port),
        "ENGINE_REPLICAS": str(plan.deployment.replicas),
        "ENGINE_READY_PATH": launch.ready_path,
        "RATE_PER_MINUTE": str(limits.per_minute),
        "CONCURRENT_PER_KEY": str(limits.at_once),
        "MAX_BODY_BYTES": str(limits.body_bytes),
        "CONNECTIONS_PER_SOURCE": str(limits.connections),
    }
    if several:
        host = {"GATEWAY_HOST": _address(release.host), "GATEWAY_PORT": str(release.port), "METRICS_HOST": "127.0.0.1"}
        environment |= host
    return {
        "image": images.gateway,
        "environment": environment,
        "port": _GATEWAY_PORT,
        "drain_s": max(_GATEWAY_DRAIN_S, launch.drain_s),
        "config_sha256": hashlib.sha256("".join(one.content for one in files).encode()).hexdigest(),
        "folders": {
            str(folder / GATEWAY_FOLDER): "/etc/gateway/config",
            str((folder / KEY_MAP_FILE).parent): "/etc/gateway/keys",
            str((folder / CERTIFICATE_FILE).parent): "/etc/gateway/tls",
            str((folder / ENGINE_KEY_FILE).parent): "/etc/gateway/engine",
        },
        "probe": ("CMD", "haproxy", "-c", "-f", "/etc/gateway/config/alive.cfg"),
    }


def _unit(plan: Plan, release: Release, launch: Launch) -> str:
    """Its stop waits for both grace periods: the gateway ends its answers first, then an engine what is left."""
    return filled(
        "systemd/compose.service.j2",
        name=release.name,
        unit=f"dsdeploy-{release.name}.service",
        version=dsdeploy.__version__,
        model_id=plan.model_id,
        format=plan.format,
        project=compose_project(release.name),
        folder=systemd_word(release.folder),
        folder_quoted=systemd_word(json.dumps(release.folder, ensure_ascii=False)),
        stop_s=max(_GATEWAY_DRAIN_S, launch.drain_s) + launch.drain_s + _STOP_S,
    )  # fmt: skip


def _address(host: str) -> str:
    """Compose publishes on numbers only. Raises RenderError for a name."""
    try:
        return str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host))
    except ValueError as error:
        raise RenderError(text("host-not-a-number", host=host), hint=text("host-not-a-number-hint")) from error
