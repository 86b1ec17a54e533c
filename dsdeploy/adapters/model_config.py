"""A model's own `config.json`, for models outside the catalogue."""

import json
from pathlib import Path

from dsdeploy.core.architecture import Architecture, from_config
from dsdeploy.core.documents import demand_mapping
from dsdeploy.core.errors import ConfigUnreadable
from dsdeploy.core.texts import text


def load_config(path: Path) -> Architecture:
    """The shape in this `config.json`, or in the one of this folder. Raises ConfigUnreadable, ConfigMalformed."""
    if path.is_dir():
        path = path / "config.json"
    try:
        content = demand_mapping(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigUnreadable(
            text("config-unreadable", path=path, reason=error), hint=text("config-malformed-hint")
        ) from error
    return from_config(content, str(path))
