"""The model catalogue: sourced figures as data, looked up by name."""

import json
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from dsdeploy.core.errors import UnknownModel
from dsdeploy.core.texts import text

_DATA = Path(__file__).parent / "data"


@cache
def models() -> tuple[dict[str, Any], ...]:
    """Every model of the catalogue, in its own order. Sizes are bytes; null is unknown."""
    return tuple(json.loads((_DATA / "models.json").read_text(encoding="utf-8")))


def find_model(name: str) -> dict[str, Any]:
    """The model with this catalogue name, Hugging Face id or ModelScope id, in any case.

    Raises UnknownModel, which offers the nearest names.
    """
    wanted = name.lower()
    by_name: dict[str, dict[str, Any]] = {}
    for model in (*models(), smoke()["model"]):
        for key in ("id", "hf_repo", "modelscope_id"):
            if model.get(key):
                by_name.setdefault(model[key].lower(), model)
    if wanted in by_name:
        return by_name[wanted]
    near = get_close_matches(wanted, by_name, n=3, cutoff=0.5)
    hint = text("unknown-model-near", near=", ".join(near)) if near else text("unknown-model-list")
    raise UnknownModel(text("unknown-model", name=name), hint=hint)


@cache
def gguf_variants() -> tuple[dict[str, Any], ...]:
    """The GGUF variants that a plan chooses among, best first."""
    return tuple(json.loads((_DATA / "gguf.json").read_text(encoding="utf-8"))["variants"])


@cache
def smoke() -> dict[str, Any]:
    """The small model that proves a machine where no hub can be reached: chosen by its name only, never as the best."""
    content: dict[str, Any] = json.loads((_DATA / "smoke.json").read_text(encoding="utf-8"))
    return content
