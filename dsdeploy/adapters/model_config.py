"""A model's own `config.json`, for models outside the catalogue."""

import json
from pathlib import Path

from dsdeploy.core.architecture import Architecture, from_config
from dsdeploy.core.errors import ConfigUnreadable
from dsdeploy.core.texts import text


def load_config(path: Path) -> Architecture:
    """The shape in this `config.json`, or in the one of this folder. Raises ConfigUnreadable, ConfigMalformed."""
    if path.is_dir():
        path = path / "config.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or str(error)
    except (ValueError, RecursionError) as error:
        reason = str(error)
    else:
        if isinstance(content, dict):
            return from_config(content, str(path))
        reason = f"{type(content).__name__} at the top"
    raise ConfigUnreadable(text("config-unreadable", path=path, reason=reason), hint=text("config-malformed-hint"))
