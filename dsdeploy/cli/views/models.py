"""The catalogue, as tables."""

from typing import Any

from dsdeploy.cli.views.table import Table, gib
from dsdeploy.core.texts import text


def models_rows(models: tuple[dict[str, Any], ...], language: str) -> Table:
    head = tuple(text(id).render(language) for id in ("model", "parameters", "weights", "licence"))
    unknown = text("unknown").render(language)
    rows: list[tuple[str, ...]] = [
        (
            model["id"],
            str(model.get("total_params_marketing") or unknown),
            gib((model.get("weights") or {}).get("tensor_bytes"), language),
            str((model.get("license") or {}).get("weights") or unknown),
        )
        for model in models
    ]
    return head, rows


def model_rows(model: dict[str, Any], language: str) -> Table:
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
