"""Reads the catalogue."""

from typing import Any

from dsdeploy.core import catalogue


def list_models() -> tuple[dict[str, Any], ...]:
    return catalogue.models()


def show_model(name: str) -> dict[str, Any]:
    return catalogue.find_model(name)
