"""Deployments to try engines with: each catalogue model, format, accelerator and shape of parallelism that can be."""

from collections.abc import Iterator
from dataclasses import replace

from dsdeploy.adapters.engines import engine_adapters
from dsdeploy.adapters.engines.vllm_vendor import vendor_images
from dsdeploy.core.accelerators import accelerators
from dsdeploy.core.catalogue import architecture, models, variants
from dsdeploy.core.deployment import Deployment, Place
from dsdeploy.core.engines import find_engine
from dsdeploy.core.errors import ArchitectureUnknown, EngineCannotRun

PLACE = Place("/weights", "the-model", "/run/secrets/api-keys")
# devices per node, nodes, tensor, pipeline, data parallel, expert parallel, draft tokens, KV cache
SHAPES = (
    (1, 1, 1, 1, 1, False, 0, "auto"),
    (8, 1, 8, 1, 1, False, 0, "fp8"),
    (8, 1, 1, 1, 8, True, 0, "auto"),
    (8, 2, 8, 2, 1, False, 0, "auto"),
    (8, 2, 16, 1, 1, True, 0, "auto"),
    (8, 2, 16, 1, 1, False, 1, "auto"),
    (8, 2, 8, 1, 2, True, 1, "auto"),
    (8, 4, 4, 1, 8, True, 3, "auto"),
)


def versions(engine: str, target: str) -> tuple[str, ...]:
    return tuple(vendor_images(target)) if engine == "vllm-vendor" else find_engine(engine).versions_for(target)


def every_deployment() -> Iterator[Deployment]:
    """The full cross product that the engines do not refuse; of chips that compile alike the first stands for all."""
    chips = {(one.architecture or "").rpartition(" ")[2]: one.id for one in reversed(accelerators())} | {"cpu": "cpu"}
    for model in models():
        try:
            architecture(model)
        except ArchitectureUnknown:
            continue
        for format in dict.fromkeys(one.format for one in variants(model["id"])):
            for target, chip in chips.items():
                for engine, adapter in engine_adapters().items():
                    for version in versions(engine, target):
                        yield from _shapes(adapter, model["id"], format, engine, version, chip)


def _shapes(adapter, model_id, format, engine, version, chip) -> Iterator[Deployment]:
    for devices, nodes, tensor, pipeline, data, experts, drafts, cache in SHAPES:
        shape = Deployment(
            model_id, format, engine, version, chip, 0 if chip == "cpu" else devices, nodes, 1, tensor, pipeline, data,
            experts, 32768, 16, 0.9, cache, drafts, expert_layers_in_host=3, max_num_batched_tokens=8192,
        )  # fmt: skip
        if engine == "sglang" and data > 1 and architecture(model_id).n_routed_experts:
            shape = replace(shape, tensor_parallel=tensor * data)
        if engine == "llama.cpp":
            shape = replace(shape, kv_cache_dtype="q8_0" if cache == "fp8" else "auto")
            shape = replace(shape, tensor_parallel=1, pipeline_parallel=1, data_parallel=1)
            if devices > 1:
                shape = replace(shape, gpu_layers=40, tensor_split=tuple(range(1, devices + 1)))
        try:
            adapter.refuse(shape)
        except EngineCannotRun:
            if devices == 1:
                return
            continue
        yield shape
