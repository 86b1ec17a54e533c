"""Models on engines, as dsdeploy renders them. Launches are made up: the chart knows no engine's words."""

from dsdeploy.core.deployment import Deployment, Launch
from dsdeploy.core.kubernetes import Site, WeightsVolume, kubernetes_place
from dsdeploy.core.values import WeightFile
from dsdeploy.stages.render_kubernetes import render_kubernetes

SITE = Site(
    engine_image="registry.example.org:5000/engines/one:v1@sha256:" + "a" * 64,
    gateway_image="registry.example.org:5000/dsdeploy/gateway@sha256:" + "b" * 64,
    weights=WeightsVolume("pvc", "deepseek"),
    host_memory_bytes=128 * 2**30,
    engine_key_secret="dsdeploy-r-engine",
    client_keys_secret="dsdeploy-r-keys",
    tls_secret="dsdeploy-r-tls",
    test_key_secret="dsdeploy-r-test",
    monitored=True,
)
# name, bytes of the weights, devices of a node, nodes
MODELS = (
    ("deepseek-r1-distill-qwen-1.5b", 3_554_214_752, 1, 1),
    ("deepseek-r1-distill-qwen-32b", 65_527_840_768, 2, 1),
    ("deepseek-r1-distill-llama-70b", 141_107_412_224, 4, 1),
    ("deepseek-r1", 688_586_727_424, 8, 4),
)
ENGINES = ("vllm", "sglang", "llama.cpp")


def deployment(model: str, engine: str, devices: int, nodes: int) -> Deployment:
    return Deployment(
        model_id=model, format="fp8", engine=engine, engine_version="1", accelerator="h100-80gb",
        devices_per_node=devices, nodes=nodes, replicas=1, tensor_parallel=devices, pipeline_parallel=nodes,
        data_parallel=1, expert_parallel=False, max_model_len=32768, max_num_seqs=64,
    )  # fmt: skip


def launch(place, engine: str) -> Launch:
    return Launch(
        image=None,
        argv=("serve", place.weights, "--rank", place.node_rank, "--to", place.leader_address, "--is", "$5 $(A)"),
        environment={"ENGINE_NOTE": "costs $5", "ENGINE_LEADER": place.leader_address},
        port=place.port, ready_path="/health", metrics_path="/metrics", resource="nvidia.com/gpu", shm_bytes=2**34,
        writable=("/tmp", place.writable), load_s=900,
    )  # fmt: skip


def values(model: str, size_bytes: int, devices: int, nodes: int, engine: str, site: Site = SITE) -> str:
    chosen = deployment(model, engine, devices, nodes)
    leader, worker = (launch(kubernetes_place(chosen, worker=one), engine) for one in (False, True))
    shards = max(1, size_bytes // 4_300_000_000)
    files = tuple(WeightFile(f"model-{n:05}.safetensors", size_bytes // shards, f"{n:064x}") for n in range(shards))
    return (
        render_kubernetes(chosen, leader, worker if nodes > 1 else None, files, site, "plan\n", users=100)
        .files[1]
        .content
    )
