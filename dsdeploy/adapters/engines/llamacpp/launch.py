"""llama.cpp as any target starts it: its makers' image on an accelerator, the image made here on a processor."""

from dsdeploy.adapters.engines import judge
from dsdeploy.adapters.engines.llamacpp import CLOSED, place_options
from dsdeploy.adapters.engines.surroundings import ACCESS, OFFLINE, caches
from dsdeploy.core.deployment import Deployment, Launch, Place
from dsdeploy.core.engines import find_engine
from dsdeploy.core.texts import text

_CELLS = 256  # llama.cpp rounds a sequence's cache up to this
_EVERY_LAYER = 999


class LlamaCpp:
    name = "llama.cpp"

    def refuse(self, deployment: Deployment) -> None:
        spec = find_engine(self.name)
        judge.hold_version(deployment, spec, spec.versions_for(judge.target(deployment)))
        judge.hold_format(deployment, spec)
        if deployment.nodes > 1 or deployment.data_parallel > 1:
            raise judge.wrong_split(deployment, spec, text("split-one-rank"))
        if deployment.accelerator != "cpu":
            judge.hold_image(deployment, spec, self._image(deployment), ())

    def launch(self, deployment: Deployment, place: Place) -> Launch:
        """Without metrics: llama-server guards them with the key, which no collector should hold."""
        self.refuse(deployment)
        program = "llama-server" if deployment.accelerator == "cpu" else "/app/llama-server"
        access = ACCESS.get(judge.vendor(deployment))
        where = place_options(place.weights, place.served_name, place.host, place.port, place.keys_file)
        return Launch(
            image=self._image(deployment),
            argv=(program, *where, *budget_options(deployment), *CLOSED),
            environment=OFFLINE | caches(place.writable) if access else {},
            port=place.port,
            ready_path="/health",
            metrics_path=None,
            devices=access.devices if access else (),
            visible=access.visible if access else None,
            resource=access.resource if access else None,
            runtime=access.runtime if access else None,
            mounts=access.mounts if access else (),
            groups=access.groups if access else (),
            writable=("/tmp", place.writable) if access else ("/tmp",),
            load_s=120 if access else 60,
            drain_s=20,
        )

    def _image(self, deployment: Deployment) -> str | None:
        return find_engine(self.name).image(judge.target(deployment), deployment.engine_version)


def cells_options(cells: int, sequences: int, *, processor: bool) -> tuple[str, ...]:
    """The options without which llama-server would not keep to a budget of so many cached tokens.

    By default it may also keep 8 GiB of old prompts and, on a processor, a second, repacked copy of weights (both stand
    in a real server's log), and `--fit` may give less context than was planned.
    """
    words = ("--ctx-size", str(cells), "--parallel", str(sequences), "--flash-attn", "on", "--cache-ram", "0")
    return (*words, *(("--no-repack",) if processor else ()), "--fit", "off")


def budget_options(d: Deployment) -> tuple[str, ...]:
    """The options that this deployment's memory was counted for."""
    cells, processor = d.max_num_seqs * (-(-d.max_model_len // _CELLS) * _CELLS), d.accelerator == "cpu"
    words = cells_options(cells, d.max_num_seqs, processor=processor)
    if processor:
        return words
    words = (*words, "--gpu-layers", str(_EVERY_LAYER if d.gpu_layers is None else d.gpu_layers))
    if d.devices_per_node > 1:
        words = (*words, "--split-mode", "layer")
    if d.expert_layers_in_host:
        words = (*words, "--n-cpu-moe", str(d.expert_layers_in_host))
    if d.tensor_split:
        words = (*words, "--tensor-split", ",".join(map(str, d.tensor_split)))
    if d.kv_cache_dtype != "auto":
        words = (*words, "--cache-type-k", d.kv_cache_dtype, "--cache-type-v", d.kv_cache_dtype)
    return words
