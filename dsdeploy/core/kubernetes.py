"""Where a release stands in a cluster: what the site's people have put there, by name, and how fast its disks are."""

from dataclasses import dataclass, field
from typing import Any

from dsdeploy.core.deployment import Deployment, Place

WEIGHTS_FOLDER = "/weights"
KEYS_FILE = "/run/secrets/dsdeploy/engine-key"
LWS_VARIABLES = ("$(LWS_LEADER_ADDRESS)", "$(LWS_WORKER_INDEX)")


@dataclass(frozen=True, slots=True)
class WeightsVolume:
    """`source` is pvc, image or hostPath; `name` is the claim's, the image's with its digest, or the node's folder.

    `create_bytes` above 0 makes the claim anew, of that size and class, instead of naming one. `load` sends the
    weights of this machine's store onto the claim; without it they must lie there.
    """

    source: str
    name: str = ""
    sub_path: str = ""
    storage_class: str = ""
    access_mode: str = "ReadOnlyMany"
    create_bytes: int = 0
    verify: str = "stamp"
    load: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """What one namespace offers. Images are `registry/repository[:tag]@sha256:…`; Secrets are named, never held.

    `host_memory_bytes` is one engine pod's, without shared memory. `test_key_secret` "" leaves `helm test` out.
    `products` are values of `product_label`. Rates are what the weights' volume reads and a core hashes.
    `engine_python` is the engine image's Python, "" where it has none. `read_only_root` None is the default of the
    accelerator: everywhere but on NVIDIA's, whose container hook may need to write there. `device_class` "" takes
    devices from a device plugin, else they are claimed of that DeviceClass. `values` are further values of the chart,
    about which the plan and the other fields say nothing.
    """

    engine_image: str
    gateway_image: str
    weights: WeightsVolume
    host_memory_bytes: int
    engine_key_secret: str
    client_keys_secret: str
    tls_secret: str
    test_key_secret: str = ""
    registry: str = ""
    pull_secrets: tuple[str, ...] = ()
    cpus: float = 8
    products: tuple[str, ...] = ()
    product_label: str = "nvidia.com/gpu.product"
    device_class: str = ""
    client_namespaces: tuple[str, ...] = ()
    client_cidrs: tuple[str, ...] = ()
    engine_python: str = "python3"
    read_only_root: bool | None = None
    spare_devices: bool = False
    monitored: bool = False
    gateway_replicas: int = 2
    gateway_cpus: float = 1
    gateway_port: int = 443
    image_pull_s: int = 1800
    read_bytes_per_s: int = 1_000_000_000
    hash_bytes_per_s: int = 300_000_000
    values: dict[str, Any] = field(default_factory=dict)


def kubernetes_place(deployment: Deployment, main_file: str = "", *, worker: bool = False) -> Place:
    """The place of a replica's leader, or of its workers; `main_file` is the GGUF file that an engine is pointed at."""
    several = deployment.nodes > 1
    return Place(
        weights=f"{WEIGHTS_FOLDER}/{main_file}" if main_file else WEIGHTS_FOLDER,
        served_name=deployment.model_id,
        keys_file=KEYS_FILE,
        leader_address=LWS_VARIABLES[0] if several else "127.0.0.1",
        node_rank=LWS_VARIABLES[1] if worker else "0",
    )


def secret_name(release: str, folder: str) -> str:
    """The Secret that holds that folder of a release's secrets: keys, engine or tls."""
    return f"dsdeploy-{release}-{folder}"
