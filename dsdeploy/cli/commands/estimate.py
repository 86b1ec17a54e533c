"""`dsdeploy estimate`."""

from pathlib import Path
from typing import Annotated

import typer

from dsdeploy import workflows
from dsdeploy.cli.completion import model_names
from dsdeploy.cli.house import House


def add(app: typer.Typer, house: House) -> None:
    @app.command(help=house.say("help-estimate"))
    def estimate(
        model: Annotated[
            str | None, typer.Argument(help=house.say("help-estimate-model"), autocompletion=model_names)
        ] = None,
        format: Annotated[str | None, house.flag("--format", "help-estimate-format")] = None,
        engine: Annotated[str, house.flag("--engine", "help-engine")] = "vllm",
        engine_version: Annotated[str | None, house.flag("--engine-version", "help-engine-version")] = None,
        accelerator: Annotated[str | None, house.flag("--accelerator", "help-accelerator")] = None,
        count: Annotated[int, house.flag("--count", "help-count")] = 1,
        nodes: Annotated[int, house.flag("--nodes", "help-nodes")] = 1,
        tensor_parallel: Annotated[int | None, house.flag("--tensor-parallel", "help-tensor-parallel")] = None,
        pipeline_parallel: Annotated[int, house.flag("--pipeline-parallel", "help-pipeline-parallel")] = 1,
        data_parallel: Annotated[int, house.flag("--data-parallel", "help-data-parallel")] = 1,
        expert_parallel: Annotated[bool, house.flag("--expert-parallel", "help-expert-parallel")] = False,
        max_model_len: Annotated[int | None, house.flag("--max-model-len", "help-max-model-len")] = None,
        memory_utilization: Annotated[
            float | None, house.flag("--memory-utilization", "help-memory-utilization")
        ] = None,
        kv_cache_dtype: Annotated[str, house.flag("--kv-cache-dtype", "help-kv-cache-dtype")] = "auto",
        max_num_seqs: Annotated[int | None, house.flag("--max-num-seqs", "help-max-num-seqs")] = None,
        users: Annotated[int, house.flag("--users", "help-users")] = 1,
        prompt_tokens: Annotated[int, house.flag("--prompt-tokens", "help-estimate-prompt-tokens")] = 1024,
        output_tokens: Annotated[int, house.flag("--output-tokens", "help-estimate-output-tokens")] = 512,
        cpu_offload_bytes: Annotated[int, house.flag("--cpu-offload-bytes", "help-cpu-offload")] = 0,
        gpu_layers: Annotated[int | None, house.flag("--gpu-layers", "help-gpu-layers")] = None,
        device_memory_bytes: Annotated[int | None, house.flag("--device-memory-bytes", "help-device-memory")] = None,
        host_memory_bytes: Annotated[int | None, house.flag("--host-memory-bytes", "help-estimate-host-memory")] = None,
        config: Annotated[Path | None, house.flag("--config", "help-config")] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        asked = {name: value for name, value in locals().items() if name not in ("as_json", "app", "house")}
        from dsdeploy.cli.views.estimate import estimate_rows

        house.finish("estimate", lambda: workflows.estimate(asked), estimate_rows, as_json)
