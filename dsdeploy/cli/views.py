"""What a person sees: results as tables. Data is printed as text, never as markup."""

from typing import Any

from dsdeploy.core.texts import RULES, WARNINGS, text
from dsdeploy.core.values import Plan, Profile

Rows = list[tuple[str, ...]]


def gib(size_bytes: int | None, language: str) -> str:
    return text("unknown").render(language) if size_bytes is None else f"{size_bytes / 2**30:,.1f} GiB"


def profile_rows(profile: Profile, language: str) -> tuple[tuple[str, ...], Rows]:
    def say(id: str, **values: Any) -> str:
        return text(id, **values).render(language)

    unknown = say("unknown")
    runtimes = [
        f"{one.name} {one.version}" if one.version else say("runtime-silent", name=one.name)
        for one in profile.container_runtimes
    ]
    devices = [f"{one.index}: {one.name}, {gib(one.memory_bytes, language)}" for one in profile.accelerators]
    rows: Rows = [
        (say("host"), profile.hostname),
        (say("kernel"), profile.kernel),
        (say("cpu"), say("cpu-value", model=profile.cpu_model or unknown, threads=profile.cpu_threads)),
        (say("numa"), unknown if profile.numa_nodes is None else str(profile.numa_nodes)),
        (
            say("memory"),
            say(
                "memory-value",
                total=gib(profile.memory_bytes, language),
                available=gib(profile.memory_available_bytes, language),
            ),
        ),
    ]
    for disk in profile.disks:
        free, total = gib(disk.free_bytes, language), gib(disk.total_bytes, language)
        rows.append(
            (say("disk", path=disk.path), say("disk-value", free=free, total=total, filesystem=disk.filesystem))
        )
    rows.append((say("runtimes"), "\n".join(runtimes) or say("none")))
    rows.append((say("accelerators"), "\n".join(devices) or say("none")))
    return (say("field"), say("value")), rows


def models_rows(models: tuple[dict[str, Any], ...], language: str) -> tuple[tuple[str, ...], Rows]:
    head = tuple(text(id).render(language) for id in ("model", "parameters", "weights", "licence"))
    unknown = text("unknown").render(language)
    rows: Rows = [
        (
            model["id"],
            str(model.get("total_params_marketing") or unknown),
            gib((model.get("weights") or {}).get("tensor_bytes"), language),
            str((model.get("license") or {}).get("weights") or unknown),
        )
        for model in models
    ]
    return head, rows


def model_rows(model: dict[str, Any], language: str) -> tuple[tuple[str, ...], Rows]:
    unknown = text("unknown").render(language)
    weights, cache, licence = (model.get(key) or {} for key in ("weights", "kv_cache", "license"))
    architecture = (model.get("architecture") or {}).get("architectures") or [unknown]
    per_token = cache.get("bytes_per_token_bf16")
    fields = {
        "model": model.get("hf_repo") or model["id"],
        "status": model.get("status"),
        "architecture": ", ".join(architecture),
        "parameters": model.get("total_params_marketing"),
        "revision": model.get("revision"),
        "weights": gib(weights.get("tensor_bytes"), language),
        "kv-per-token": f"{per_token:,} B ({cache.get('type')})" if isinstance(per_token, int) else None,
        "licence": licence.get("weights"),
        "confidence": model.get("confidence"),
        "sources": "\n".join(model.get("sources") or ()),
    }
    head = tuple(text(id).render(language) for id in ("field", "value"))
    return head, [(text(id).render(language), str(value or unknown)) for id, value in fields.items()]


def plan_rows(plan: Plan, language: str) -> tuple[tuple[str, ...], Rows]:
    def say(id: str, **values: Any) -> str:
        return text(id, **values).render(language)

    rows: Rows = [
        (say("chosen"), f"{plan.model_id} {plan.format}"),
        (say("engine"), f"{plan.engine} ({plan.device})"),
        (say("why"), say("why-value")),
        (say("weights"), gib(plan.memory.weights_bytes, language)),
        (say("kv-cache"), gib(plan.memory.kv_cache_bytes, language)),
        (say("compute"), gib(plan.memory.compute_bytes, language)),
        (say("reserve"), gib(plan.memory.reserve_bytes, language)),
        (say("needed"), gib(plan.memory.needed_bytes, language)),
        (say("available"), gib(plan.memory.available_bytes, language)),
    ]
    rows += [(say("warning"), WARNINGS[code].render(language)) for code in plan.warnings]
    for one in plan.rejected:
        needed, available = (
            f"{size:,} tokens" if one.rule == "context" else gib(size, language) for size in (one.needed, one.available)
        )
        reason = say("rejected-value", rule=RULES[one.rule], needed=needed, available=available)
        rows.append((say("rejected", name=f"{one.model_id} {one.format}"), reason))
    return (say("field"), say("value")), rows
