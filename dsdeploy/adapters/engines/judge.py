"""Whether an engine can run a deployment at all: version, format on this accelerator, image, and how it is split."""

from dsdeploy.core.accelerators import AcceleratorSpec, find_accelerator
from dsdeploy.core.catalogue import architecture, find_model, variants
from dsdeploy.core.deployment import Deployment
from dsdeploy.core.engines import EngineSpec, engines, find_engine
from dsdeploy.core.errors import EngineCannotRun, RenderError, UnknownEngineVersion
from dsdeploy.core.flags import nearest_versions
from dsdeploy.core.sizing.support import format_support
from dsdeploy.core.texts import Text, text

# Drafted with DSpark instead of plain MTP (vllm-project/recipes@8959cf64, DeepSeek-V4: variants default and dspark).
_DSPARK = ("-0731", "-0813", "-dspark")


def drafts_with_dspark(deployment: Deployment) -> bool:
    return deployment.model_id.endswith(_DSPARK)


def target(deployment: Deployment) -> str:
    """What kernels are compiled for (sm90, gfx942, 910b …), "cpu" without an accelerator. Raises UnknownAccelerator."""
    if deployment.accelerator == "cpu":
        return "cpu"
    return (find_accelerator(deployment.accelerator).architecture or "").rpartition(" ")[2]


def lacks_bf16(deployment: Deployment) -> bool:
    """Whether a bfloat16 checkpoint must be cast to float16 here: Turing, 310P, CoreX."""
    runs = find_engine(deployment.engine).runs.get(target(deployment), ())
    return deployment.format == "fp16" or ("fp16" in runs and "bf16" not in runs)


def vendor(deployment: Deployment) -> str:
    return "cpu" if deployment.accelerator == "cpu" else find_accelerator(deployment.accelerator).vendor


def hold_version(deployment: Deployment, spec: EngineSpec, known: tuple[str, ...]) -> None:
    if deployment.engine_version not in known:
        near = ", ".join(nearest_versions(deployment.engine_version, known))
        raise UnknownEngineVersion(
            text("unknown-engine-version", engine=spec.name, version=deployment.engine_version),
            hint=text("unknown-engine-version-hint", near=near or "-"),
        )


def hold_arguments(planned: tuple[str, ...], argv: tuple[str, ...]) -> None:
    """Raises RenderError where a plan's own engine arguments are not the ones that its deployment is started with."""
    if not any(argv[start : start + len(planned)] == planned for start in range(len(argv) - len(planned) + 1)):
        odd = [one for one in planned if one not in argv] or list(planned)
        message = text("plan-arguments-not-started", arguments=" ".join(odd))
        raise RenderError(message, hint=text("plan-arguments-not-started-hint"))


def hold_format(deployment: Deployment, spec: EngineSpec) -> None:
    """Raises EngineCannotRun, which offers this model's formats here and the engines that run this format here."""
    runs = {one.name: _runs(deployment, one, deployment.format) for one in engines()}
    if runs[spec.name]:
        return
    known = dict.fromkeys(one.format for one in variants(find_model(deployment.model_id)["id"]))
    formats = ", ".join(one for one in known if _runs(deployment, spec, one))
    raise EngineCannotRun(
        text("engine-lacks-format", engine=spec.name, format=deployment.format, accelerator=deployment.accelerator),
        hint=text(
            "engine-lacks-format-hint",
            format=deployment.format,
            formats=formats or "-",
            engines=", ".join(name for name, able in runs.items() if able) or "-",
        ),
    )


def hold_split(deployment: Deployment, spec: EngineSpec, ranks: int) -> None:
    """Raises EngineCannotRun where a replica's ranks are not as many as its devices."""
    devices = deployment.devices_per_node * deployment.nodes
    if devices and ranks != devices:
        raise wrong_split(deployment, spec, text("split-ranks", ranks=ranks, devices=devices))


def wrong_split(deployment: Deployment, spec: EngineSpec, reason: Text) -> EngineCannotRun:
    devices = deployment.devices_per_node * deployment.nodes
    return EngineCannotRun(
        text("engine-wrong-split", engine=spec.name, reason=reason),
        hint=text("engine-wrong-split-hint", devices=devices),
    )


def hold_image(deployment: Deployment, spec: EngineSpec, image: str | None, near: tuple[str, ...]) -> str:
    if image is None:
        words = {"engine": spec.name, "version": deployment.engine_version, "accelerator": deployment.accelerator}
        raise EngineCannotRun(
            text("engine-lacks-image", **words), hint=text("engine-lacks-image-hint", near=", ".join(near) or "-")
        )
    return image


def _runs(deployment: Deployment, spec: EngineSpec, format: str) -> bool:
    """vLLM and SGLang read a GGUF with the original model's tokenizer beside it, which a verified GGUF lacks."""
    if format.startswith("gguf") and spec.name != "llama.cpp":
        return False
    if deployment.accelerator == "cpu":
        names = find_engine(spec.name).runs.get("cpu", ())
        return format in names or (format.startswith("gguf") and "gguf" in names)
    return format_support(_device(deployment), spec.name, format, architecture(deployment.model_id)) != "none"


def _device(deployment: Deployment) -> AcceleratorSpec:
    return find_accelerator(deployment.accelerator)
