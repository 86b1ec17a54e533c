"""Turns what won into a plan: the choice with its reasons, and what came next."""

from collections.abc import Iterator

from dsdeploy.core import catalogue
from dsdeploy.core.band import Band
from dsdeploy.core.licences import bindings
from dsdeploy.core.plan import (
    Alternative,
    DeviceMemory,
    MemoryBudget,
    Plan,
    PlannedSpeed,
    Rejected,
    Remark,
    Request,
)
from dsdeploy.core.sizing.speed import SpeedEstimate
from dsdeploy.stages.plan.case import RESERVE_BYTES, Fit, together
from dsdeploy.stages.plan.load import Load, load_of
from dsdeploy.stages.plan.rank import pareto

_ALTERNATIVES = 8
_ASSUMED = {
    "successor": "plan-quality-successor",
    "same-weights": "plan-quality-same-weights",
    "class": "plan-quality-class",
    "below-class": "plan-quality-below-class",
}


def build_plan(request: Request, order: tuple[Fit, ...], rejected: tuple[Rejected, ...], asked_at: str | None) -> Plan:
    """`order` is best first. The rejected are those of higher quality first, as they were offered."""
    best = order[0]
    variant = best.offer.variant
    return Plan(
        request=request,
        deployment=best.deployment,
        weights_origin="hub" if variant.hub == "huggingface" else variant.hub,
        weights_repo=variant.repository,
        weights_revision=variant.revision,
        weights_pattern=_pattern(variant.format, variant.label),
        weights_sha256=None,
        weights_bytes=best.weights_bytes,
        engine_arguments=(),
        memory=_host_memory(best),
        disk_path=best.pool.disk_path,
        warnings=(*_limits(best, request), *_wishes(best, load_of(request)), *_remarks(best)),
        rejected=rejected,
        device_memory=_device_memory(best),
        speed=planned_speed(best.speed, best.at_once, best.deployment.replicas),
        quality=best.offer.quality,
        licences=licences_of(variant.model_id),
        hosts=best.pool.names[: best.machines],
        device_indices=_device_indices(best),
        alternatives=tuple(map(alternative, _next(order))),
        hardware_asked_at=asked_at,
    )


def _device_indices(best: Fit) -> tuple[tuple[int, ...], ...]:
    """Nothing where every machine's devices count from 0 without a gap."""
    found = best.pool.indices[: best.machines]
    return found if any(one != tuple(range(len(one))) for one in found) else ()


def _host_memory(best: Fit) -> MemoryBudget:
    reserve = RESERVE_BYTES * best.shape.devices
    return MemoryBudget(round(best.memory.host_bytes), 0, 0, reserve, best.pool.host_bytes or 0)


def licences_of(model_id: str) -> tuple[str, ...]:
    return tuple(f"{one.covers}: {one.licence_id}" for one in bindings(catalogue.find_model(model_id)))


def _pattern(format: str, label: str | None) -> str:
    if not format.startswith("gguf"):
        return "*.safetensors"
    return f"*{format.removeprefix('gguf-').upper()}*.gguf"


def _next(order: tuple[Fit, ...]) -> tuple[Fit, ...]:
    """The best way to serve each other set of weights that nothing beats, in the order of the aim."""
    chosen, seen = order[0].offer.variant, set()
    front = set(map(id, pareto(order)))
    found = []
    for one in order:
        weights = one.offer.variant.model_id, one.offer.variant.format
        if id(one) in front and weights not in seen and one.offer.variant != chosen:
            seen.add(weights)
            found.append(one)
    return tuple(found[:_ALTERNATIVES])


def alternative(one: Fit) -> Alternative:
    d = one.deployment
    return Alternative(
        model_id=d.model_id, format=d.format, engine=d.engine, accelerator=d.accelerator, devices=d.devices,
        shape=one.shape.words, quality=one.offer.quality.score if one.offer.quality else None,
        tokens_per_s_per_user=_rounded(one.tokens_per_s_per_user),
        output_tokens_per_s=_rounded(one.output_tokens_per_s), first_token_s=_rounded(one.first_token_s),
    )  # fmt: skip


def _device_memory(one: Fit) -> DeviceMemory:
    memory = one.memory
    return DeviceMemory(
        device_bytes=round(one.pool.device_bytes),
        weights_bytes=round(memory.weights_bytes_per_device),
        terms_bytes={term.name: round(term.size_bytes) for term in memory.terms},
        kv_cache_bytes=round(memory.kv_cache_bytes_per_device),
        kv_cache_tokens=memory.kv_cache_tokens,
        needed_tokens=one.needed_tokens,
    )


def planned_speed(one: SpeedEstimate | None, at_once: int, replicas: int) -> PlannedSpeed | None:
    """What replicas of this speed do together when they answer so many at once."""
    if one is None:
        return None
    total = one.output_tokens_per_s_total
    return PlannedSpeed(
        at_once=at_once,
        tokens_per_s_per_user=_band(one.decode_tokens_per_s_per_user),
        output_tokens_per_s=_band(total, together(at_once, replicas)) if total else None,
        first_token_s=_band(one.ttft_s) if one.ttft_s else None,
    )


def _band(band: Band, times: float = 1) -> Band:
    return Band(*(round(one * times, 3) for one in (band.low, band.expected, band.high)))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _limits(one: Fit, request: Request) -> Iterator[Remark]:
    if one.speed is None and (request.max_first_token_s or request.min_tokens_per_s):
        yield Remark("warning-limits-unjudged")


def _wishes(one: Fit, load: Load) -> Iterator[Remark]:
    """What a workload wishes and nearly gets."""
    wished, near, rate, first = load, load.eased(), one.tokens_per_s_per_user, one.first_token_s
    if rate and (near.wished_tokens_per_s or rate) <= rate < (wished.wished_tokens_per_s or 0):
        yield Remark("plan-wish-speed", {"wished": f"{wished.wished_tokens_per_s:g}", "expected": f"{rate:.1f}"})
    if first and (wished.wished_first_token_s or first) < first <= (near.wished_first_token_s or 0):
        yield Remark("plan-wish-first", {"wished": f"{wished.wished_first_token_s:g}", "expected": f"{first:.1f}"})


def _remarks(one: Fit) -> list[Remark]:
    d, shape, offer = one.deployment, one.shape, one.offer
    said = []
    if one.support == "unpacked":
        said.append(Remark("plan-unpacked", {"format": d.format, "name": one.pool.spec.name}))
    if shape.nodes > 1 and shape.tensor > shape.devices:
        said.append(Remark("plan-tensor-across-nodes", {"tensor": str(shape.tensor), "nodes": str(shape.nodes)}))
    if shape.nodes > 1:
        said.append(Remark("plan-network-assumed"))
    if shape.tensor > 1 and not one.pool.linked:
        said.append(Remark("plan-tensor-over-pcie", {"tensor": str(shape.tensor)}))
    if d.expert_layers_in_host:
        said.append(Remark("plan-experts-in-host", {"layers": str(d.expert_layers_in_host)}))
    if one.speed is None and not d.expert_layers_in_host:
        said.append(Remark("plan-speed-unknown", {"name": one.pool.spec.name}))
    if "v4-cache-unsettled" in one.memory.warnings:
        said.append(Remark("plan-v4-cache-unsettled"))
    if "sglang-on-ascend" in one.memory.warnings:
        said.append(Remark("plan-sglang-on-ascend"))
    if offer.quality is None:
        said.append(Remark("plan-quality-unknown"))
    else:
        model, _, format = offer.quality.basis.partition("+")
        said += [Remark(_ASSUMED[part], {"format": d.format}) for part in (model, format) if part in _ASSUMED]
    if offer.variant.size_bytes is None:
        said.append(Remark("plan-size-derived"))
    if offer.variant.revision is None:
        said.append(Remark("plan-revision-open", {"repository": offer.variant.repository}))
    left = one.pool.devices * one.pool.nodes - d.devices
    if left:
        said.append(Remark("plan-devices-left", {"count": str(left)}))
    return said
