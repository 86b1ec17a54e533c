"""A site's own words about a namespace: a YAML file that people write once, kept beside the release it was used for."""

from pathlib import Path

import yaml

from dsdeploy.core.documents import demand_mapping, from_document
from dsdeploy.core.errors import RenderError
from dsdeploy.core.kubernetes import Site, secret_name
from dsdeploy.core.layout import SITE_FILE
from dsdeploy.core.texts import text
from dsdeploy.core.values import Plan, Release


def load_site(path: Path | None, plan: Plan, release: Release) -> tuple[Site, str]:
    """The site and the text it was read from: `path`, or the one that `release` was installed with.

    The file holds fields of `Site`; Secrets are named as `install` makes them and memory is the plan's where it says
    nothing. Raises RenderError.
    """
    found = path or Path(release.folder) / SITE_FILE
    try:
        content = found.read_text(encoding="utf-8")
        told = yaml.safe_load(content)
        return from_document(Site, {**_implied(plan, release), **demand_mapping(told)}), content
    except FileNotFoundError as error:
        missing = text("site-missing", path=found)
        raise RenderError(missing, hint=text("site-missing-hint")) from error
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise RenderError(text("unreadable", path=found, reason=error), hint=text("site-hint")) from error


def _implied(plan: Plan, release: Release) -> dict[str, object]:
    return {
        "host_memory_bytes": plan.memory.needed_bytes,
        "engine_key_secret": secret_name(release.name, "engine"),
        "client_keys_secret": secret_name(release.name, "keys"),
        "tls_secret": secret_name(release.name, "tls"),
    }
