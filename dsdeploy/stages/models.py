"""Reads the catalogue, or a model's own configuration."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dsdeploy.adapters.model_config import load_config
from dsdeploy.core import catalogue
from dsdeploy.core.errors import InvalidRequest, UnknownModel
from dsdeploy.core.licences import LICENCES, bindings
from dsdeploy.core.texts import text


def list_models(family: str | None, licence: str | None, format: str | None) -> tuple[dict[str, Any], ...]:
    """The models that pass each filter that is given. Raises InvalidRequest for a value that no model has."""
    rows = tuple(_summary(model) for model in catalogue.models())
    _judge("family", family, (row["family"] for row in rows))
    _judge("licence", licence, LICENCES)
    formats = {one for row in rows for one in row["formats"]}
    _judge("format", format, formats | {one.partition("-")[0] for one in formats if one.startswith("gguf")})
    return tuple(
        row
        for row in rows
        if (family in (None, row["family"]))
        and (licence is None or licence in row["licences"])
        and (format is None or any(_is_kind(one, format) for one in row["formats"]))
    )


def show_model(name: str) -> dict[str, Any]:
    """All that is known of a catalogue model, or what the `config.json` at this path says.

    Raises UnknownModel, ConfigUnreadable, ConfigMalformed.
    """
    try:
        model = catalogue.find_model(name)
    except UnknownModel:
        path = Path(name)
        if not name or (not path.exists() and path.suffix != ".json"):
            raise
        return {"id": None, "config": name, "architecture": load_config(path)}
    losses = [loss for loss in catalogue.losses() if loss["model_id"] == model["id"]]
    return {**model, "licences": bindings(model), "variants": catalogue.variants(model["id"]), "losses": losses}


def _summary(model: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": model["id"],
        "family": model["family"],
        "deployable": model["deployable"],
        "hf_repo": model["hf_repo"],
        "parameters": model["total_params_marketing"],
        "tensor_bytes": (model["weights"] or {}).get("tensor_bytes"),
        "formats": tuple(dict.fromkeys(one.format for one in catalogue.variants(model["id"]))),
        "licences": tuple(dict.fromkeys(one.licence_id for one in bindings(model) if one.covers != "code")),
    }


def _is_kind(format: str, wanted: str) -> bool:
    """Whether it is this format; plain "gguf" means every GGUF quantisation."""
    return format == wanted or (wanted == "gguf" and format.startswith("gguf-"))


def _judge(name: str, wanted: str | None, known: Iterable[str]) -> None:
    values = sorted(set(known))
    if wanted is not None and wanted not in values:
        raise InvalidRequest(
            text("bad-filter", name=name, found=wanted), hint=text("bad-filter-hint", known=", ".join(values))
        )
