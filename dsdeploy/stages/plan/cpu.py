"""llama.cpp on a processor: the best model and format that fit a machine's memory and disk, and why others do not."""

from dataclasses import replace
from typing import Any

from dsdeploy.adapters.engines.llamacpp.launch import cells_options
from dsdeploy.core import catalogue
from dsdeploy.core.deployment import Deployment
from dsdeploy.core.engines import find_engine
from dsdeploy.core.errors import InvalidRequest, NoModelFits, PlanDoesNotHold
from dsdeploy.core.machines import Profile
from dsdeploy.core.plan import MemoryBudget, Plan, Quality, Rejected, Remark, Request
from dsdeploy.core.quality import quality_of
from dsdeploy.core.sizing.support import same_format
from dsdeploy.core.texts import RULES, text
from dsdeploy.stages.plan.judge import closest

_UBATCH_TOKENS = 512  # llama-server's default for --ubatch-size
_CELL_TOKENS = 256  # llama.cpp rounds the KV cache up to this
_GGUF_METADATA_BYTES = 10_000_000  # tokenizer and header, the most seen in published files of these models
_RESERVE_BYTES = 1 << 30


def choose_on_cpu(request: Request, profile: Profile) -> Plan:
    """The first candidate, best first, that breaks no rule. Raises InvalidRequest, UnknownModel, NoModelFits."""
    rejected: list[Rejected] = []
    for variant in _wanted(request):
        plan = fit_variant(variant, request, profile)
        broken = _broken_rule(plan, profile)
        if broken is None:
            return replace(plan, rejected=tuple(rejected))
        rejected.append(broken)
    nearest = closest(rejected)
    raise NoModelFits(
        text(
            "no-model-fits", users=f"{request.users:,}", context=f"{request.context_tokens:,}",
            name=f"{nearest.model_id} {nearest.format}", rule=RULES[nearest.rule], **nearest.amounts,
        ),
        hint=text("plan-quality-hint" if nearest.rule == "quality" else "no-model-fits-hint"),
    )  # fmt: skip


def fit_variant(variant: dict[str, Any], request: Request, profile: Profile) -> Plan:
    """What this variant would need on this machine; it is judged elsewhere."""
    model = catalogue.find_model(variant["model_id"])
    weights_bytes = variant["tensor_bytes"] + _GGUF_METADATA_BYTES
    cells = request.users * _round_up(request.context_tokens, _CELL_TOKENS)
    disk = max(profile.disks, key=lambda one: one.free_bytes, default=None)
    return Plan(
        request=request,
        deployment=Deployment(
            model_id=variant["model_id"],
            format=variant["format"],
            engine="llama.cpp",
            engine_version=find_engine("llama.cpp").versions[-1],
            accelerator="cpu",
            devices_per_node=0,
            nodes=1,
            replicas=1,
            tensor_parallel=1,
            pipeline_parallel=1,
            data_parallel=1,
            expert_parallel=False,
            max_model_len=request.context_tokens,
            max_num_seqs=request.users,
        ),
        weights_origin=variant.get("origin", "hub"),
        weights_repo=variant["repo"],
        weights_revision=variant.get("revision"),
        weights_pattern=variant.get("pattern") or f"*{variant['format'].removeprefix('gguf-').upper()}*.gguf",
        weights_sha256=variant.get("sha256"),
        weights_bytes=weights_bytes,
        engine_arguments=cells_options(cells, request.users, processor=True),
        memory=MemoryBudget(
            weights_bytes=weights_bytes,
            kv_cache_bytes=cells * int(model["kv_cache"]["bytes_per_token_bf16"]),
            compute_bytes=compute_buffer_bytes(model["architecture"], cells),
            reserve_bytes=_RESERVE_BYTES,
            available_bytes=profile.memory_available_bytes,
        ),
        disk_path=disk.path if disk else "",
        warnings=_warnings(variant, request, profile),
        rejected=(),
        quality=_quality(variant),
        hosts=(profile.hostname,),
        hardware_asked_at=profile.asked_at,
    )


def _quality(variant: dict[str, Any]) -> Quality | None:
    forms = (one for one in catalogue.variants(variant["model_id"]) if one.format == variant["format"])
    found = next((one for one in forms if one.repository == variant["repo"]), None)
    return quality_of(found) if found else None


def _warnings(variant: dict[str, Any], request: Request, profile: Profile) -> tuple[Remark, ...]:
    codes = ["warning-accelerators-unused"] if profile.accelerators else []
    codes += ["warning-limits-unjudged"] if request.max_first_token_s or request.min_tokens_per_s else []
    codes += ["warning-smoke-model"] if variant.get("origin") == "package" else []
    return tuple(map(Remark, codes))


def compute_buffer_bytes(architecture: dict[str, Any], cells: int) -> int:
    """An upper bound of llama.cpp's compute buffer for a dense model on the CPU with flash attention, in bytes.

    Float32 logits and residual stream of one micro-batch, and its attention mask over all cells
    (src/llama-graph.cpp). Builds that reserve logits for every token of the micro-batch come close to it; a build of
    October 2026 stayed below: it logged a mask of 2 bytes a cell (28 MiB for 28,672 more) and logits for few tokens.
    """
    return _UBATCH_TOKENS * 4 * (int(architecture["vocab_size"]) + int(architecture["hidden_size"]) + cells)


def verify_cpu(plan: Plan, profile: Profile) -> Plan:
    """What a plan for a processor must say, which that machine bears. Raises PlanDoesNotHold, InvalidRequest,
    UnknownModel."""
    variants = _candidates(plan.model_id)
    variant = next((one for one in variants if one["format"] == plan.format), None)
    if variant is None:
        near = ", ".join(one["format"] for one in variants)
        raise InvalidRequest(text("no-candidate", name=plan.format), hint=text("no-candidate-hint", near=near))
    fresh = fit_variant(variant, plan.request, profile)
    broken = _broken_rule(fresh, profile)
    if broken is not None:
        raise no_longer_fits(broken)
    return fresh


def no_longer_fits(broken: Rejected) -> PlanDoesNotHold:
    message = text("plan-no-longer-fits", rule=RULES[broken.rule], **broken.amounts)
    return PlanDoesNotHold(message, hint=text("no-model-fits-hint"))


def _wanted(request: Request) -> tuple[dict[str, Any], ...]:
    """Raises InvalidRequest, UnknownModel."""
    if request.engine is not None and find_engine(request.engine).name != "llama.cpp":
        raise InvalidRequest(text("cpu-engine", name=request.engine), hint=text("cpu-engine-hint"))
    known = _candidates(request.model_id)
    found = tuple(one for one in known if request.format is None or same_format(one["format"], request.format.lower()))
    if not found:
        near = ", ".join(dict.fromkeys(one["format"] for one in known))
        raise InvalidRequest(text("no-candidate", name=request.format), hint=text("no-candidate-hint", near=near))
    return found


def _candidates(model_name: str | None) -> tuple[dict[str, Any], ...]:
    variants = catalogue.gguf_variants()
    if model_name is None:
        return variants
    model_id = catalogue.find_model(model_name)["id"]
    if model_id == catalogue.smoke()["model"]["id"]:
        return (catalogue.smoke()["variant"],)
    wanted = tuple(one for one in variants if one["model_id"] == model_id)
    if not wanted:
        near = ", ".join(dict.fromkeys(one["model_id"] for one in variants))
        raise InvalidRequest(text("no-candidate", name=model_id), hint=text("no-candidate-hint", near=near))
    return wanted


def _broken_rule(plan: Plan, profile: Profile) -> Rejected | None:
    longest = int(catalogue.find_model(plan.model_id)["architecture"]["max_position_embeddings"])
    free_bytes = max((disk.free_bytes for disk in profile.disks), default=0)
    rules = (
        ("quality", plan.request.min_quality or 0.0, plan.quality.score if plan.quality else 0.0),
        ("context", plan.context_tokens, longest),
        ("memory", plan.memory.needed_bytes, plan.memory.available_bytes),
        ("disk", plan.weights_bytes, free_bytes),
    )
    for rule, needed, available in rules:
        if needed > available:
            return Rejected(plan.model_id, plan.format, rule, needed, available)
    return None


def _round_up(number: int, step: int) -> int:
    return -(-number // step) * step
