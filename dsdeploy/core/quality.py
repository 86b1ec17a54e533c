"""One figure to rank models by, after what a weight format costs: published where it is, else what stands for it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from dsdeploy.core import catalogue
from dsdeploy.core.catalogue import Variant
from dsdeploy.core.plan import Quality

_BENCHMARK = "gpqa_diamond"


def quality_of(variant: Variant) -> Quality | None:
    """GPQA Diamond of these weights in percent; None where nothing published can stand for it.

    `basis` is published, successor or same-weights for the model, joined by + with measured, class (the worst loss
    measured for formats of this class) or below-class (no loss was measured with so few bits) for the format.
    """
    scored = _model_score(variant.model_id)
    if scored is None:
        return None
    score, basis, source = scored
    if variant.native:
        return Quality(score, score, 1.0, basis, source)
    share, share_basis, share_source = _recovery(variant)
    sources = "; ".join(dict.fromkeys(one for one in (source, share_source) if one))
    return Quality(round(score * share, 2), score, share, f"{basis}+{share_basis}", sources)


def general(model: dict[str, Any]) -> bool:
    """Whether this model may be chosen as the best: deployable, its shape sure, tuned to answer, for no single task."""
    special = _data()["special"]
    made_for_one = model["family"] in special["families"] or model["id"] in special["models"]
    answers = not model["id"].endswith("-base") and model["id"] not in ("deepseek-v2", "deepseek-v2-lite")
    sure = model.get("architecture") and model["confidence"] == "high"
    return bool(model["deployable"] and sure and answers and not made_for_one)


@cache
def _model_score(model_id: str) -> tuple[float, str, str] | None:
    model = catalogue.find_model(model_id)
    rows = [one for one in model.get("quality") or () if _BENCHMARK in one["scores"]]
    if rows:
        best = max(rows, key=lambda one: one["scores"][_BENCHMARK])
        return float(best["scores"][_BENCHMARK]), "published", best["source"]
    taken = _data()["taken_from"].get(model_id)
    found = _model_score(taken["model"]) if taken else None
    return (found[0], taken["why"], found[2]) if found else None


def _recovery(variant: Variant) -> tuple[float, str, str]:
    for row in (*variant.quality, *_losses(variant.model_id, variant.format)):
        if (share := _share(row)) is not None:
            return share, "measured", row["source"]
    share, source = _class_recovery().get(_class_of(variant.format), _class_recovery()["gguf-2"])
    below = variant.format.startswith(("gguf-ud-iq1", "gguf-ud-tq1"))
    return share, "below-class" if below else "class", source


def _share(row: dict[str, Any]) -> float | None:
    """What of the native quality one measurement says is left; above all of it counts as all."""
    if "recovery_percent" in row:
        return min(1.0, float(row["recovery_percent"]) / 100)
    if "drop_percent" in row:
        return min(1.0, 1 - float(row["drop_percent"]) / 100)
    ratios = [row["scores"][name] / full for name, full in row.get("baseline", {}).items() if name in row["scores"]]
    return min(1.0, sum(ratios) / len(ratios)) if ratios else None


@cache
def _class_recovery() -> dict[str, tuple[float, str]]:
    """The worst that was measured for each class of formats, over all models, with its source."""
    variants = [one for model in catalogue.models() for one in catalogue.variants(model["id"])]
    measured = [(one.format, row) for one in variants for row in one.quality]
    measured += [(one["format"], one) for one in catalogue.losses()]
    worst: dict[str, tuple[float, str]] = {}
    for format, row in measured:
        share, name = _share(row), _class_of(format)
        if share is not None and name and share < worst.get(name, (2.0, ""))[0]:
            worst[name] = share, row["source"]
    return worst


def _losses(model_id: str, format: str) -> tuple[dict[str, Any], ...]:
    return tuple(one for one in catalogue.losses() if (one["model_id"], one["format"]) == (model_id, format))


@cache
def _class_of(format: str) -> str:
    return next((one["class"] for one in _data()["classes"] if format in one["formats"]), "")


@cache
def _data() -> Any:
    return json.loads((Path(__file__).parent / "data" / "quality.json").read_text(encoding="utf-8"))
