"""What a catalogued model can do, as its engines' own recipes for it say."""

from typing import Any

from dsdeploy.core import catalogue
from dsdeploy.core.errors import UnknownModel

_ALWAYS = ("deepseek_r1", "deepseek-r1")  # parsers of models that think before every answer


def reasoning_of(model_id: str) -> str:
    """always, asked (a switch in the request) or never; never too for a model that is not catalogued."""
    parser = _parsers(model_id).get("reasoning")
    if parser is None:
        return "never"
    return "always" if parser in _ALWAYS else "asked"


def tools_of(model_id: str) -> bool:
    return _parsers(model_id).get("tool") is not None


def _parsers(model_id: str) -> dict[str, Any]:
    try:
        told = catalogue.find_model(model_id).get("parsers") or {}
    except UnknownModel:
        return {}
    found: dict[str, Any] = told.get("vllm") or {}
    return found
