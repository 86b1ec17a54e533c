"""The model catalogue: sourced figures as data, looked up by name."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from dsdeploy.core.architecture import Architecture, from_config
from dsdeploy.core.errors import ArchitectureUnknown, UnknownModel
from dsdeploy.core.texts import text

_DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Variant:
    """One set of weights of a model: the native one, or somebody's quantisation.

    `bytes` is what its repository's weight files take, `tensor_bytes` what its tensors take; `basis` says how sure
    they are ("published", "published in GB, rounded", "derived", …). `hub` is "huggingface" or "modelscope"; `mirrors`
    are further repositories of the same weights. `quality` holds what was measured against the native weights.
    """

    model_id: str
    format: str
    repository: str
    source: str
    confidence: str
    hub: str = "huggingface"
    mirrors: tuple[str, ...] = ()
    revision: str | None = None
    bytes: int | None = None
    tensor_bytes: int | None = None
    basis: str | None = None
    published: str | None = None
    label: str | None = None
    engines: tuple[str, ...] = ()
    quality: tuple[dict[str, Any], ...] = ()
    note: str | None = None
    native: bool = False
    plan_order: int | None = None

    @property
    def size_bytes(self) -> int | None:
        return self.bytes or self.tensor_bytes


@cache
def models() -> tuple[dict[str, Any], ...]:
    """Every model of the catalogue, in its own order. Sizes are bytes; null is unknown."""
    return tuple(_load("models.json"))


def find_model(name: str) -> dict[str, Any]:
    """The model with this catalogue name, Hugging Face id or ModelScope id, or of which this is a quantised repository.

    Case does not matter, and the owner of a repository may be left out. Raises UnknownModel, which offers the nearest.
    """
    wanted = name.lower()
    if found := _by_name().get(wanted) or _by_name().get(f"deepseek-{wanted}"):
        return found
    by_repository = _by_repository()
    if wanted in by_repository:
        return _by_name()[by_repository[wanted]]
    near = get_close_matches(wanted, [*_by_name(), *by_repository], n=3, cutoff=0.5)
    hint = text("unknown-model-near", near=", ".join(near)) if near else text("unknown-model-list")
    raise UnknownModel(text("unknown-model", name=name), hint=hint)


def architecture(model: dict[str, Any] | str) -> Architecture:
    """The shape of a catalogue entry, or of the model with this name. Raises UnknownModel, ArchitectureUnknown."""
    entry = find_model(model) if isinstance(model, str) else model
    return _architecture(entry["id"])


def variants(model_id: str) -> tuple[Variant, ...]:
    """The native weights of a catalogue model and its known quantisations, the native first."""
    return (*_native(_by_name()[model_id]), *_variants_by_model().get(model_id, ()))


def losses() -> tuple[dict[str, Any], ...]:
    """Quality lost by quantisations whose repository is not known: measured on weights made for the measurement."""
    return tuple(_load("variants.json")["losses"])


@cache
def gguf_variants() -> tuple[dict[str, Any], ...]:
    """The GGUF variants that a plan chooses among, best first."""
    ranked = [one for rows in _variants_by_model().values() for one in rows if one.plan_order]
    return tuple(
        {
            "model_id": one.model_id,
            "format": one.format,
            "repo": one.repository,
            "tensor_bytes": one.tensor_bytes,
            "source": one.source,
            "confidence": one.confidence,
        }
        for one in sorted(ranked, key=lambda one: one.plan_order or 0)
    )


@cache
def smoke() -> dict[str, Any]:
    """The small model that proves a machine where no hub can be reached: chosen by its name only, never as the best."""
    content: dict[str, Any] = _load("smoke.json")
    return content


def smoke_id() -> str:
    return str(smoke()["model"]["id"])


@cache
def _load(name: str) -> Any:
    return json.loads((_DATA / name).read_text(encoding="utf-8"))


@cache
def _by_name() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for model in (*models(), smoke()["model"]):
        for key in ("id", "hf_repo", "modelscope_id"):
            if model.get(key):
                found.setdefault(model[key].lower(), model)
    return found


@cache
def _by_repository() -> dict[str, str]:
    """Quantised repositories, with their owner and without: name → model id."""
    found: dict[str, str] = {}
    for model_id, rows in _variants_by_model().items():
        for repository in (name for one in rows for name in (one.repository, *one.mirrors)):
            found.setdefault(repository.lower(), model_id)
            found.setdefault(repository.lower().partition("/")[2], model_id)
    return found


@cache
def _variants_by_model() -> dict[str, tuple[Variant, ...]]:
    found: dict[str, list[Variant]] = {}
    for row in _load("variants.json")["variants"]:
        values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
        found.setdefault(row["model_id"], []).append(Variant(**values))
    return {model_id: tuple(rows) for model_id, rows in found.items()}


def _native(model: dict[str, Any]) -> Iterator[Variant]:
    """The weights as their maker published them."""
    if not model.get("hf_repo"):
        return
    weights = model.get("weights") or {}
    yield Variant(
        model_id=model["id"],
        format=_native_format(model.get("architecture") or {}),
        repository=model["hf_repo"],
        source=model["sources"][0],
        confidence=weights.get("confidence") or model["confidence"],
        revision=model.get("revision"),
        tensor_bytes=weights.get("tensor_bytes"),
        basis="derived" if weights.get("tensor_bytes") else None,
        native=True,
    )


def _native_format(shape: dict[str, Any]) -> str:
    quantisation = shape.get("quantization_config") or {}
    if "fp4" in (shape.get("expert_dtype"), quantisation.get("expert_dtype")):
        return "fp4-experts+fp8"
    return "fp8-block" if quantisation.get("quant_method") == "fp8" else "bf16"


@cache
def _architecture(model_id: str) -> Architecture:
    model = _by_name()[model_id]
    if model["architecture"] is None:
        raise ArchitectureUnknown(text("architecture-unknown", name=model_id), hint=text("architecture-unknown-hint"))
    return from_config(model["architecture"], model_id)
