"""vLLM, on NVIDIA, AMD and processors; its builds for other chips take their words from here."""

import json

from dsdeploy.adapters.engines import judge
from dsdeploy.adapters.engines.keys import key_in_environment
from dsdeploy.adapters.engines.surroundings import ACCESS, OFFLINE, ULIMITS, Access, caches, shm_bytes
from dsdeploy.core.catalogue import architecture, find_model
from dsdeploy.core.deployment import Deployment, Launch, Place
from dsdeploy.core.engines import EngineSpec, find_engine
from dsdeploy.core.errors import EngineCannotRun
from dsdeploy.core.flags import FlagTable, flag_table
from dsdeploy.core.texts import text

DRAIN_S = 120
# Ports between the nodes of a replica: torch.distributed's and the data-parallel handshake's.
MASTER_PORT, RPC_PORT = 29501, 13345
# Loading, compiling and capturing graphs of 671B outlasts the default of 600 s (vllm-ascend's own runs give 3,000).
_READY_S = 3600


class Vllm:
    name = "vllm"

    def refuse(self, deployment: Deployment) -> None:
        spec = find_engine(self.name)
        hold_vllm(deployment, spec, spec.versions)
        judge.hold_image(deployment, spec, self._image(deployment), spec.versions)

    def launch(self, deployment: Deployment, place: Place) -> Launch:
        self.refuse(deployment)
        table = flag_table("vllm", deployment.engine_version)
        access = ACCESS.get(judge.vendor(deployment))
        environment = {"VLLM_ROCM_USE_AITER": "1"} if judge.vendor(deployment) == "amd" else {}
        return vllm_launch(deployment, place, table, self._image(deployment), access, (), environment)

    def _image(self, deployment: Deployment) -> str | None:
        return find_engine(self.name).image(judge.target(deployment), deployment.engine_version)


def hold_vllm(deployment: Deployment, spec: EngineSpec, versions: tuple[str, ...]) -> None:
    """Raises UnknownEngineVersion, and EngineCannotRun where the release lacks what the model or the split needs.

    Without --nnodes only whole data-parallel ranks may stand on another node; each node holds as many.
    """
    judge.hold_version(deployment, spec, versions)
    judge.hold_format(deployment, spec)
    ranks = deployment.tensor_parallel * deployment.pipeline_parallel * deployment.data_parallel
    judge.hold_split(deployment, spec, ranks)
    table = flag_table("vllm", deployment.engine_version)
    if deployment.nodes > 1 and "--nnodes" not in table.options and deployment.data_parallel % deployment.nodes:
        raise judge.wrong_split(deployment, spec, text("split-rank-over-nodes", version=table.version))
    faults = "; ".join(table.faults(_options(deployment, Place("/", "model", "/", node_rank="0"), table)))
    if faults:
        words = {"engine": spec.name, "version": table.version, "model": deployment.model_id, "faults": faults}
        near = ", ".join(one for one in spec.versions if one != table.version)
        raise EngineCannotRun(text("engine-too-old", **words), hint=text("engine-too-old-hint", near=near or "-"))


def vllm_launch(
    deployment: Deployment,
    place: Place,
    table: FlagTable,
    image: str | None,
    access: Access | None,
    more: tuple[str, ...],
    environment: dict[str, str],
) -> Launch:
    """A node's launch by the options that `table`'s release knows, with `more` options and variables of its build."""
    words = ("serve", place.weights, *_options(deployment, place, table), *more)
    follower = deployment.nodes > 1 and place.node_rank != "0"
    return Launch(
        image=image,
        argv=key_in_environment(
            place.keys_file, "vllm", *words, peer=place.peer_address, cann=judge.vendor(deployment) == "ascend"
        ),
        environment={
            **OFFLINE, **caches(place.writable), "VLLM_ENGINE_READY_TIMEOUT_S": str(_READY_S), **environment
        },
        port=place.port,
        ready_path="/health",
        metrics_path="/metrics",
        devices=access.devices if access else (),
        visible=access.visible if access else None,
        resource=access.resource if access else None,
        runtime=access.runtime if access else None,
        mounts=access.mounts if access else (),
        groups=access.groups if access else (),
        shm_bytes=shm_bytes(deployment),
        ulimits=ULIMITS if access else {},
        writable=("/tmp", place.writable),
        load_s=1800 if deployment.nodes > 1 else 900,
        drain_s=DRAIN_S,
        serves_http=not follower,
        looked_up=access is not None and access.looked_up,
    )  # fmt: skip


def _options(d: Deployment, place: Place, table: FlagTable) -> tuple[str, ...]:
    words = ["--served-model-name", place.served_name, "--host", place.host, "--port", str(place.port)]
    words += ["--load-format", "safetensors", "--max-model-len", str(d.max_model_len)]
    words += ["--max-num-seqs", str(d.max_num_seqs), "--tensor-parallel-size", str(d.tensor_parallel)]
    if d.max_num_batched_tokens is not None:
        words += ["--max-num-batched-tokens", str(d.max_num_batched_tokens)]
    if d.pipeline_parallel > 1:
        words += ["--pipeline-parallel-size", str(d.pipeline_parallel)]
    if d.data_parallel > 1:
        words += ["--data-parallel-size", str(d.data_parallel)]
    if d.expert_parallel:
        words += ["--enable-expert-parallel"]
    if d.nodes > 1:
        words += _nodes(d, place, table)
    if d.memory_utilization is not None:
        words += ["--gpu-memory-utilization", f"{d.memory_utilization:g}"]
    if d.kv_cache_dtype != "auto":
        words += ["--kv-cache-dtype", d.kv_cache_dtype]
    if judge.lacks_bf16(d):
        words += ["--dtype", "float16"]
    words += ["--enable-prefix-caching" if _caches_prefixes(d) else "--no-enable-prefix-caching"]
    words += _model_options(d, table)
    if d.draft_tokens:
        words += ["--speculative-config", json.dumps(_drafts(d))]
    if "--shutdown-timeout" in table.options:
        words += ["--shutdown-timeout", str(DRAIN_S)]
    if "--disable-log-requests" in table.options and "--enable-log-requests" not in table.options:
        words += ["--disable-log-requests"]
    return tuple(words)


def _caches_prefixes(d: Deployment) -> bool:
    """Not on the 310P, whose tutorial turns it off (vllm-project/vllm-ascend@f233dca, tutorials/hardwares/310p.md)."""
    return judge.target(d) != "310p"


def _nodes(d: Deployment, place: Place, table: FlagTable) -> list[str]:
    """vLLM's own launch over nodes, without Ray: each node the same words and its rank; followers answer nobody."""
    headless = [] if place.node_rank == "0" else ["--headless"]
    if "--nnodes" in table.options:
        words = ["--nnodes", str(d.nodes), "--node-rank", place.node_rank, "--master-addr", place.leader_address]
        return [*words, "--master-port", str(MASTER_PORT), *headless]
    local = d.data_parallel // d.nodes
    words = ["--data-parallel-size-local", str(local), "--data-parallel-address", place.leader_address]
    words += ["--data-parallel-rpc-port", str(RPC_PORT)]
    if not headless:
        return words
    if local > 1 and not place.node_rank.isdecimal():
        raise judge.wrong_split(d, find_engine(d.engine), text("split-number-unknown", version=table.version))
    start = place.node_rank if local == 1 else str(int(place.node_rank) * local)
    return [*words, "--data-parallel-start-rank", start, *headless]


def _model_options(d: Deployment, table: FlagTable) -> list[str]:
    """How this model thinks and calls tools, and the block that DeepSeek-V4's compressed cache is made for."""
    parsers = (find_model(d.model_id).get("parsers") or {}).get("vllm") or {}
    words = []
    if parsers.get("tokenizer_mode"):
        words += ["--tokenizer-mode", parsers["tokenizer_mode"]]
    if parsers.get("reasoning"):
        words += ["--reasoning-parser", parsers["reasoning"]]
        # Without this word, 0.8 reads no parser.
        words += ["--enable-reasoning"] if "--enable-reasoning" in table.options else []
    if parsers.get("tool"):
        words += ["--enable-auto-tool-choice", "--tool-call-parser", parsers["tool"]]
    if architecture(d.model_id).compress_ratios:
        words += ["--block-size", "256"]
        words += ["--kv-cache-dtype", "fp8"] if d.kv_cache_dtype == "auto" else []
    return words


def _drafts(d: Deployment) -> dict[str, str | int]:
    if judge.drafts_with_dspark(d):
        return {
            "method": "dspark", "num_speculative_tokens": d.draft_tokens, "draft_sample_method": "probabilistic"
        }  # fmt: skip
    return {"method": "mtp", "num_speculative_tokens": d.draft_tokens}
