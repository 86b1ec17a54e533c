"""SGLang, on NVIDIA, AMD and Ascend: each with the release whose image there is."""

from dsdeploy.adapters.engines import judge
from dsdeploy.adapters.engines.keys import key_in_arguments
from dsdeploy.adapters.engines.surroundings import ACCESS, OFFLINE, ULIMITS, ascend_access, caches, shm_bytes
from dsdeploy.core.catalogue import architecture, find_model
from dsdeploy.core.deployment import Deployment, Launch, Place
from dsdeploy.core.engines import find_engine
from dsdeploy.core.errors import EngineCannotRun
from dsdeploy.core.flags import flag_table
from dsdeploy.core.texts import text

_DIST_PORT = 20000
_KV_CACHE = {"fp8": "fp8_e4m3"}
# What SGLang's own makers set: AITER on AMD; on Ascend its pages and its runs of DeepSeek (sgl-project/sglang@097cbb4d,
# docs_new/docs/hardware-platforms/ascend-npus/model-tutorials/deepseek_r1.mdx).
_ENVIRONMENT = {
    "amd": {"SGLANG_USE_AITER": "1"},
    "ascend": {"PYTORCH_NPU_ALLOC_CONF": "expandable_segments:True", "STREAMS_PER_DEVICE": "32"},
}


class Sglang:
    name = "sglang"

    def refuse(self, deployment: Deployment) -> None:
        spec = find_engine(self.name)
        judge.hold_version(deployment, spec, spec.versions_for(judge.target(deployment)))
        judge.hold_format(deployment, spec)
        if judge.target(deployment) in spec.tensor_alone:
            _hold_tensor_alone(deployment)
        ranks = deployment.tensor_parallel * deployment.pipeline_parallel
        inside = _data_parallel_inside(deployment)
        judge.hold_split(deployment, spec, ranks if inside else ranks * deployment.data_parallel)
        if inside and deployment.tensor_parallel % deployment.data_parallel:
            raise judge.wrong_split(deployment, spec, text("split-attention-groups"))
        judge.hold_image(deployment, spec, self._image(deployment), ())

    def launch(self, deployment: Deployment, place: Place) -> Launch:
        self.refuse(deployment)
        vendor, ascend = judge.vendor(deployment), judge.vendor(deployment) == "ascend"
        access = ascend_access(judge.target(deployment), deployment.nodes) if ascend else ACCESS[vendor]
        return Launch(
            image=self._image(deployment),
            argv=key_in_arguments(
                place.keys_file,
                "sglang.launch_server",
                *_options(deployment, place),
                peer=place.peer_address,
                cann=ascend,
            ),
            environment=OFFLINE | caches(place.writable) | _ENVIRONMENT.get(vendor, {}),
            port=place.port,
            ready_path="/health",
            metrics_path="/metrics",
            devices=access.devices,
            visible=access.visible,
            resource=access.resource,
            runtime=access.runtime,
            mounts=access.mounts,
            groups=access.groups,
            shm_bytes=shm_bytes(deployment),
            ulimits=ULIMITS,
            writable=("/tmp", place.writable),
            load_s=1800 if deployment.nodes > 1 else 900,
            serves_http=deployment.nodes == 1 or place.node_rank == "0",
            looked_up=access.looked_up,
        )

    def _image(self, deployment: Deployment) -> str | None:
        return find_engine(self.name).image(judge.target(deployment), deployment.engine_version)


def _options(d: Deployment, place: Place) -> tuple[str, ...]:
    words = ["--model-path", place.weights, "--served-model-name", place.served_name]
    words += ["--host", place.host, "--port", str(place.port), "--load-format", "safetensors", "--enable-metrics"]
    words += ["--context-length", str(d.max_model_len), "--max-running-requests", str(_running(d))]
    words += _split(d)
    if d.nodes > 1:
        words += ["--nnodes", str(d.nodes), "--node-rank", place.node_rank]
        words += ["--dist-init-addr", f"{place.leader_address}:{_DIST_PORT}"]
    if d.memory_utilization is not None:
        words += ["--mem-fraction-static", f"{d.memory_utilization:g}"]
    if d.kv_cache_dtype != "auto":
        words += ["--kv-cache-dtype", _KV_CACHE.get(d.kv_cache_dtype, d.kv_cache_dtype)]
    if judge.lacks_bf16(d):
        words += ["--dtype", "float16"]
    words += _quantization(d)
    parsers = (find_model(d.model_id).get("parsers") or {}).get("sglang") or {}
    if parsers.get("reasoning"):
        words += ["--reasoning-parser", parsers["reasoning"]]
    if parsers.get("tool"):
        words += ["--tool-call-parser", parsers["tool"]]
    return (*words, *_drafts(d)) if d.draft_tokens else tuple(words)


def _quantization(d: Deployment) -> list[str]:
    """On Ascend the backend and what ModelSlim made are named, as SGLang's pages do."""
    if judge.vendor(d) == "ascend":
        made = ["--quantization", "modelslim"] if d.format in ("w8a8-int8", "w4a8-int4") else []
        return ["--device", "npu", "--attention-backend", "ascend", *made]
    return ["--quantization", "w8a8_int8"] if d.format == "w8a8-int8" else []


def _hold_tensor_alone(d: Deployment) -> None:
    spec = find_engine(d.engine)
    experts = d.expert_parallel and _data_parallel_inside(d)
    if d.pipeline_parallel > 1 or d.data_parallel > 1 or experts:
        raise judge.wrong_split(d, spec, text("split-tensor-alone", accelerator=d.accelerator))
    if d.kv_cache_dtype != "auto":
        words = {"engine": spec.name, "accelerator": d.accelerator, "kv": d.kv_cache_dtype}
        raise EngineCannotRun(text("engine-lacks-kv-cache", **words), hint=text("engine-lacks-kv-cache-hint"))


def _running(d: Deployment) -> int:
    """All of a server's: attention's groups share them out (0.5.23, model_executor/pool_configurator.py)."""
    return d.seats if _data_parallel_inside(d) else d.max_num_seqs


def _drafts(d: Deployment) -> tuple[str, ...]:
    """As sglang 0.5.23 checks them (arg_groups/speculative_hook.py): both drafts lie in the model's own weights."""
    if judge.drafts_with_dspark(d):
        words = ("--speculative-algorithm", "DSPARK", "--speculative-dspark-block-size", str(d.draft_tokens))
        return (*words, "--enable-dp-lm-head") if d.data_parallel > 1 else words
    words = ("--speculative-algorithm", "EAGLE", "--speculative-num-steps", str(d.draft_tokens))
    return (*words, "--speculative-eagle-topk", "1", "--speculative-num-draft-tokens", str(d.draft_tokens + 1))


def _split(d: Deployment) -> list[str]:
    words = ["--tp-size", str(d.tensor_parallel)]
    if d.data_parallel > 1:
        words += _groups(d)
    if d.pipeline_parallel > 1:
        words += ["--pp-size", str(d.pipeline_parallel)]
    return [*words, "--ep-size", str(d.tensor_parallel)] if d.expert_parallel else words


def _groups(d: Deployment) -> list[str]:
    """Since 0.5.23 attention's groups have an option of their own."""
    if not _data_parallel_inside(d):
        return ["--dp-size", str(d.data_parallel)]
    if "--attn-dp-size" in flag_table(d.engine, d.engine_version).options:
        return ["--attn-dp-size", str(d.data_parallel)]
    return ["--dp-size", str(d.data_parallel), "--enable-dp-attention"]


def _data_parallel_inside(d: Deployment) -> bool:
    """With experts, attention's groups share SGLang's tensor-parallel group; a dense model's ranks stand beside."""
    return bool(architecture(d.model_id).n_routed_experts)
