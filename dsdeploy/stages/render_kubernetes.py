"""Turns a deployment and its launches into the values of the chart. Pure; the chart itself stays static."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

import dsdeploy
from dsdeploy.core.deployment import Deployment, Launch
from dsdeploy.core.errors import RenderError
from dsdeploy.core.gateway import gateway_limits
from dsdeploy.core.kubernetes import KEYS_FILE, LWS_VARIABLES, WEIGHTS_FOLDER, Site
from dsdeploy.core.layout import PLAN_FILE, VALUES_FILE
from dsdeploy.core.texts import text
from dsdeploy.core.values import RenderedFile, RenderedFiles, WeightFile

_IMAGE = re.compile(
    r"(?:(?P<registry>[^/@]*[.:][^/@]*|localhost)/)?(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?@(?P<digest>sha256:[a-f0-9]{64})"
)
_SOURCES = ("pvc", "image", "hostPath")
_TMP_BYTES = 10 * 2**30
_CACHE_BYTES = 20 * 2**30


class _Quoting(yaml.SafeDumper):
    """Quotes every string: Helm reads YAML 1.2, where words as 1e5 and 08, bare for PyYAML, are numbers."""


_Quoting.add_representer(str, lambda dumper, word: dumper.represent_scalar("tag:yaml.org,2002:str", word, style='"'))


def render_kubernetes(
    deployment: Deployment,
    leader: Launch,
    worker: Launch | None,
    files: tuple[WeightFile, ...],
    site: Site,
    plan_text: str,
    *,
    users: int,
) -> RenderedFiles:
    """The chart's values and the plan itself; `worker` is how nodes 2 and up start, `users` how many are planned for.

    Raises RenderError.
    """
    values = _with_more(_values(deployment, leader, worker, files, site, users), site.values, "values")
    title = f"# {deployment.model_id} {deployment.format}, rendered by dsdeploy {dsdeploy.__version__}\n"
    content = title + yaml.dump(values, Dumper=_Quoting, sort_keys=False, allow_unicode=True, width=4096)
    if yaml.safe_load(content) != values:
        raise RenderError(text("values-broken"), hint=text("values-broken-hint"))
    return RenderedFiles("kubernetes", (RenderedFile(PLAN_FILE, plan_text), RenderedFile(VALUES_FILE, content)))


def _values(
    deployment: Deployment, leader: Launch, worker: Launch | None, files: tuple[WeightFile, ...], site: Site, users: int
) -> dict[str, Any]:
    found = next(_contradictions(deployment, files, site), None)
    if found:
        raise _contradicted(*found)
    several = deployment.nodes > 1
    if several and worker is None:
        raise RenderError(
            text("worker-launch-missing", nodes=deployment.nodes), hint=text("worker-launch-missing-hint")
        )
    nodes = {"leader": _node(leader, several)}
    limits = gateway_limits(users, deployment.max_model_len)
    if several and worker is not None:
        nodes["worker"] = _node(worker, several)
    return {
        "global": {"imageRegistry": site.registry, "imagePullSecrets": list(site.pull_secrets)},
        "policy": {"podSecurity": "privileged" if site.weights.source == "hostPath" else "restricted"},
        "image": {"engine": _image(site.engine_image), "gateway": _image(site.gateway_image)},
        "model": {"name": deployment.model_id},
        "parallelism": {
            "tensor": deployment.tensor_parallel,
            "pipeline": deployment.pipeline_parallel,
            "data": deployment.data_parallel,
            "nodes": deployment.nodes,
            "devicesPerNode": deployment.devices_per_node,
        },
        "engine": {
            "name": deployment.engine.split("-")[0],  # vendors' builds of vLLM keep its metrics
            "replicas": deployment.replicas,
            "spareGpus": site.spare_devices,
            **nodes,
            "python": site.engine_python,
            "readOnlyRootFilesystem": _read_only(leader, site),
            "port": leader.port,
            "readyPath": leader.ready_path,
            "metricsPath": leader.metrics_path or "",
            "drainSeconds": leader.drain_s,
            "keySecret": {"name": site.engine_key_secret, "key": "engine-key"},
            "keysFile": KEYS_FILE,
            "cpu": f"{site.cpus:g}",
            "memoryBytes": site.host_memory_bytes,
            "shmBytes": leader.shm_bytes,
            "writable": [
                {"path": path, "sizeBytes": _TMP_BYTES if path == "/tmp" else _CACHE_BYTES}
                for path in dict.fromkeys((*leader.writable, *(worker.writable if worker else ())))
            ],
            "userEntry": leader.looked_up,
            "supplementalGroups": [int(one) for one in leader.groups if one.isdigit() and int(one) > 0],
        },
        "accelerator": _accelerator(deployment, leader, site),
        "weights": _weights(files, site),
        "loadBudget": {
            "imagePullSeconds": site.image_pull_s,
            "verifyBytesPerSecond": site.hash_bytes_per_s,
            "readBytesPerSecond": site.read_bytes_per_s,
            "engineSeconds": leader.load_s,
        },
        "gateway": {
            "replicas": site.gateway_replicas,
            "cpu": f"{site.gateway_cpus:g}",
            "keysSecret": {"name": site.client_keys_secret, "key": "keys.map"},
            "tls": {"existingSecret": site.tls_secret},
            "service": {"port": site.gateway_port},
            "limits": {
                "ratePerMinute": limits.per_minute,
                "concurrentPerKey": limits.at_once,
                "maxBodyBytes": limits.body_bytes,
                "connectionsPerSource": limits.connections,
            },
        },
        "networkPolicy": {
            "clientNamespaces": list(site.client_namespaces),
            "clientCidrs": list(site.client_cidrs),
        },
        "monitoring": {part: {"enabled": site.monitored} for part in ("serviceMonitor", "prometheusRule", "dashboard")},
        "test": {"keySecret": {"name": site.test_key_secret, "key": "api-key"}},
    }


def _with_more(values: dict[str, Any], more: dict[str, Any], place: str) -> dict[str, Any]:
    """`values` and what the site wants besides: what the plan or a field of the site has said already stays."""
    merged = dict(values)
    for name, one in more.items():
        said, field = values.get(name), f"{place}.{name}"
        if isinstance(said, dict) and isinstance(one, dict):
            merged[name] = _with_more(said, one, field)
        elif name in values and said != one:
            raise _contradicted(field, json.dumps(one, default=str), json.dumps(said))
        else:
            merged[name] = one
    return merged


def _contradicted(field: str, said: str, wanted: str) -> RenderError:
    message = text("site-contradicts", field=field, said=said, wanted=wanted)
    return RenderError(message, hint=text("site-contradicts-hint", field=field))


def _contradictions(
    deployment: Deployment, files: tuple[WeightFile, ...], site: Site
) -> Iterator[tuple[str, str, str]]:
    """Fields of the site that do not go with the plan or with each other, what they say and what would go."""
    volume, total = site.weights, sum(one.size_bytes for one in files)
    claimed = volume.source == "pvc"
    if volume.source not in _SOURCES:
        yield "weights.source", volume.source, " | ".join(_SOURCES)
    if not claimed and (volume.load or volume.create_bytes):
        yield "weights.source", volume.source, "pvc"
    if not (volume.name or (claimed and volume.create_bytes)):
        yield "weights.name", '""', "weights.name | weights.create_bytes" if claimed else "weights.name"
    if volume.name and volume.create_bytes:
        yield "weights.name", volume.name, '""'
    if 0 < volume.create_bytes < total:
        yield "weights.create_bytes", f"{volume.create_bytes:,}", f"≥ {total:,}"
    alone = deployment.nodes * deployment.replicas == 1
    if volume.create_bytes and not alone and volume.access_mode.startswith("ReadWriteOnce"):
        yield "weights.access_mode", volume.access_mode, "ReadOnlyMany | ReadWriteMany"
    if site.spare_devices and deployment.nodes > 1:
        yield "spare_devices", "true", "false"
    if site.device_class and not _asks_for_devices(deployment):
        yield "device_class", site.device_class, '""'


def _read_only(leader: Launch, site: Site) -> bool:
    """nvidia-cdi-hook writes into the container's root: https://github.com/kserve/kserve/pull/5711."""
    return (leader.resource or "").split("/")[0] != "nvidia.com" if site.read_only_root is None else site.read_only_root


def _node(launch: Launch, several: bool) -> dict[str, Any]:
    return {
        "argv": [_word(one, several) for one in launch.argv],
        "env": {name: _word(one, several) for name, one in launch.environment.items()},
    }


def _word(word: str, several: bool) -> str:
    """A word that Kubernetes, which expands $(NAME) and reads $$ as $, hands on as it was meant."""
    kept = "|".join(map(re.escape, LWS_VARIABLES)) if several else "(?!)"
    return re.sub(rf"({kept})|\$", lambda match: match[1] or "$$", word)


def _image(reference: str) -> dict[str, str]:
    match = _IMAGE.fullmatch(reference)
    if match is None:
        raise RenderError(text("image-without-digest", image=reference), hint=text("image-without-digest-hint"))
    return {part: match[part] or "" for part in ("registry", "repository", "digest", "tag")}


def _asks_for_devices(deployment: Deployment) -> bool:
    return deployment.devices_per_node > 0 and deployment.accelerator != "cpu"


def _accelerator(deployment: Deployment, leader: Launch, site: Site) -> dict[str, Any]:
    if not _asks_for_devices(deployment):
        return {"mode": "none"}
    chosen = {"products": list(site.products), "productLabel": site.product_label}
    if site.device_class:
        return {"mode": "dra", "dra": {"deviceClassName": site.device_class}, **chosen}
    resource = deployment.resource or leader.resource
    if resource is None:
        raise RenderError(
            text("resource-unknown", accelerator=deployment.accelerator), hint=text("resource-unknown-hint")
        )
    return {"mode": "devicePlugin", "resourceName": resource, **chosen}


def _weights(files: tuple[WeightFile, ...], site: Site) -> dict[str, Any]:
    for one in files:
        if not one.sha256:
            raise RenderError(text("weights-without-digest", file=one.name), hint=text("weights-without-digest-hint"))
    volume = site.weights
    verify = "full" if volume.source == "image" and volume.verify == "stamp" else volume.verify
    made = {"mountPath": WEIGHTS_FOLDER, "subPath": volume.sub_path, "verify": {"policy": verify}}
    if volume.source == "image":
        made["image"] = _image(volume.name)
    elif volume.source == "hostPath":
        made["hostPath"] = volume.name
    elif volume.create_bytes:
        made["claim"] = {
            "create": True,
            "sizeBytes": volume.create_bytes,
            "storageClassName": volume.storage_class,
            "accessMode": volume.access_mode,
        }
    else:
        made["claim"] = {"existingName": volume.name}
    listed = [{"name": one.name, "sizeBytes": one.size_bytes, "sha256": one.sha256} for one in files]
    return {"source": volume.source, **made, "files": listed}
