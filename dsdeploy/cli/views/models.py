"""The catalogue, as tables."""

from typing import Any

from dsdeploy.cli.views.table import Table, gib
from dsdeploy.core.architecture import Architecture, from_config
from dsdeploy.core.catalogue import Variant
from dsdeploy.core.licences import Binding
from dsdeploy.core.texts import text

Rows = list[tuple[str, ...]]
_BENCHMARKS = {
    "aime_2024_pass1": "AIME 2024",
    "aime_2024_cons64": "AIME 2024 cons@64",
    "aime_2025": "AIME 2025",
    "math_500": "MATH-500",
    "gpqa_diamond": "GPQA Diamond",
    "livecodebench": "LiveCodeBench",
    "codeforces_rating": "Codeforces",
    "mmlu_pro": "MMLU-Pro",
    "swe_bench_verified": "SWE-bench Verified",
}
# What the catalogue writes in words; what is not here is shown as it stands.
_KNOWN = {
    "derived": text("basis-derived"),
    "published": text("basis-published"),
    "published in GB, rounded": text("basis-gb"),
    "published in GiB, rounded": text("basis-gib"),
    "open-weights": text("status-open"),
    "open-weights (base, not chat)": text("status-base"),
    "API only, never open-weights": text("status-api"),
    "high": text("confidence-high"),
    "medium": text("confidence-medium"),
    "low": text("confidence-low"),
}


def models_rows(models: tuple[dict[str, Any], ...], language: str) -> Table:
    head = tuple(text(id).render(language) for id in ("model", "parameters", "weights-column", "licence-column"))
    unknown = text("unknown").render(language)
    rows: Rows = [
        (
            model["id"],
            str(model["parameters"] or unknown).partition(" ")[0],
            gib(model["tensor_bytes"], language),
            ", ".join(model["licences"]) or unknown,
        )
        for model in models
    ]
    return head, rows


def model_rows(model: dict[str, Any], language: str) -> Table:
    def say(id: str, **values: Any) -> str:
        return text(id, **values).render(language)

    shape = model["architecture"]
    if isinstance(shape, Architecture):
        rows: Rows = [(say("model"), model["config"]), *_shape_rows(shape, language)]
    else:
        rows = [*_entry_rows(model, language), *_known_rows(model, language)]
    return (say("field"), say("value")), rows


def _entry_rows(model: dict[str, Any], language: str) -> Rows:
    def say(id: str, **values: Any) -> str:
        return text(id, **values).render(language)

    rows: Rows = [
        (say("model"), model.get("hf_repo") or model["id"]),
        (say("family"), model.get("family") or say("none")),
        (say("status"), _known(model["status"], language)),
        (say("deployable"), say("yes" if model.get("deployable", True) else "no")),
        *([(say("base-model"), model["base_model"])] if model.get("base_model") else []),
        (say("parameters"), str(model.get("total_params_marketing") or say("unknown"))),
        (say("revision"), model.get("revision") or say("unknown")),
        (say("weights"), gib((model.get("weights") or {}).get("tensor_bytes"), language)),
    ]
    if model["architecture"]:
        rows += _shape_rows(from_config(model["architecture"], model["id"]), language)
    cache = model.get("kv_cache") or {}
    per_token = cache.get("bytes_per_token_bf16")
    rows.append((say("kv-per-token"), f"{per_token:,} B ({cache['type']})" if per_token else say("unknown")))
    return rows


def _shape_rows(shape: Architecture, language: str) -> Rows:
    def say(id: str) -> str:
        return text(id).render(language)

    heads = f"{shape.num_attention_heads} ({shape.num_key_value_heads})"
    rows: Rows = [
        (say("architecture"), ", ".join(shape.architectures)),
        (say("layers"), f"{shape.num_hidden_layers}, {shape.hidden_size:,}, {heads}"),
    ]
    if shape.n_routed_experts:
        experts = f"{shape.n_routed_experts}, {shape.n_shared_experts}, {shape.num_experts_per_tok}"
        rows.append((say("experts"), experts))
    longest = shape.max_position_embeddings
    rows.append((say("context-length"), f"{longest:,} tokens" if longest else say("unknown")))
    return rows


def _known_rows(model: dict[str, Any], language: str) -> Rows:
    def say(id: str, **values: Any) -> str:
        return text(id, **values).render(language)

    rows: Rows = []
    for engine, names in (model.get("parsers") or {}).items():
        said = ", ".join(f"{kind}: {name}" for kind, name in names.items() if name)
        rows.append((f"{say('parsers')} ({engine})", said or say("none")))
    for one in model.get("quality") or ():
        scores = ", ".join(f"{_BENCHMARKS.get(id, id)} {score}" for id, score in one["scores"].items())
        rows.append((say("quality", mode=one["mode"]), f"{scores}\n{one['source']}"))
    rows += [_variant_row(one, language) for one in model["variants"]]
    rows += [(say("variant", name=one["format"]), _measured(one, language)) for one in model["losses"]]
    rows += [_binding_row(one, language) for one in model["licences"]]
    for id in ("notes", "sources"):
        if model.get(id):
            rows.append((say(id), "\n".join(model[id])))
    rows.append((say("confidence"), _known(model["confidence"], language)))
    return rows


def _known(words: str, language: str) -> str:
    return _KNOWN[words].render(language) if words in _KNOWN else words


def _variant_row(variant: Variant, language: str) -> tuple[str, str]:
    basis = f" ({_known(variant.basis, language)})" if variant.basis else ""
    words = [f"{gib(variant.size_bytes, language)}{basis}  {variant.repository}"]
    words += [one for one in (_measured(dict(row), language) for row in variant.quality) if one]
    return text("variant", name=variant.format).render(language), "\n".join(words)


def _measured(row: dict[str, Any], language: str) -> str:
    if "drop_percent" in row:
        return text("variant-lost", percent=row["drop_percent"]).render(language)
    if "recovery_percent" in row:
        about = "≈" if row.get("rounded") else ""
        return text("variant-kept", percent=f"{about}{row['recovery_percent']}").render(language)
    return ""


def _binding_row(binding: Binding, language: str) -> tuple[str, str]:
    part = {"code": text("code"), "weights": text("the-weights"), "base_model": text("the-base-model")}[binding.covers]
    duties = "\n".join(f"- {duty.render(language)}" for duty in binding.licence.duties)
    return text("duties", covers=part, name=binding.licence.name).render(language), duties
