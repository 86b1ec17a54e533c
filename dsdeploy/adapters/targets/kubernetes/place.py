"""Where a release lives: a context of the kubeconfig and a namespace, written beside it so that it never moves."""

import json
from dataclasses import dataclass
from pathlib import Path

from dsdeploy.core.errors import ReleaseUnreadable
from dsdeploy.core.layout import PLACE_FILE
from dsdeploy.core.texts import text
from dsdeploy.core.values import Release


@dataclass(frozen=True, slots=True)
class Place:
    """None is the kubeconfig's own: its current context, that context's namespace."""

    context: str | None = None
    namespace: str | None = None


def find_place(release: Release) -> Place | None:
    """None for a release that was never installed. Raises ReleaseUnreadable."""
    path = Path(release.folder) / PLACE_FILE
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return Place(str(told["context"]), str(told["namespace"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseUnreadable(
            text("unreadable", path=path, reason=error), hint=text("release-unreadable-hint")
        ) from error
