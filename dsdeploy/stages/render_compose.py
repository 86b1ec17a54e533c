"""Turns a plan into a Compose project: an engine with no way out, and a gate before it. Pure."""

import ipaddress
import json
from pathlib import Path

import jinja2
import yaml

import dsdeploy
from dsdeploy.adapters.engines.llamacpp import server_arguments
from dsdeploy.adapters.images.llamacpp import GATE, PROBE, PYTHON
from dsdeploy.adapters.templates import template
from dsdeploy.core.errors import RenderError
from dsdeploy.core.layout import COMPOSE_FILE, KEYS_FILE, PLAN_FILE, compose_project
from dsdeploy.core.texts import text
from dsdeploy.core.values import Plan, Release, RenderedFile, RenderedFiles

_WEIGHTS = "/weights"
_KEYS = "/run/secrets/api-keys"
_PORT = 8080
_START_S = 60
_LOAD_BYTES_PER_S = 100_000_000  # a slow disk; probes fail unpunished no shorter than reading the weights from it


def render_compose(plan: Plan, plan_text: str, release: Release, image: str, user: str) -> RenderedFiles:
    """The Compose project and the plan itself. `image` is an id, `user` two numbers. Raises RenderError."""
    arguments = server_arguments(
        plan, model=f"{_WEIGHTS}/{release.weights.main_file}", keys=_KEYS, host="0.0.0.0", port=_PORT
    )
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    environment.filters |= {"word": _word, "words": lambda many: f"[{', '.join(map(_word, many))}]"}
    content = environment.from_string(template("compose/compose.yaml.j2")).render(
        title=f"{release.name}: {plan.model_id} {plan.format}, rendered by dsdeploy {dsdeploy.__version__}",
        project=compose_project(release.name),
        image=image,
        user=user,
        arguments=arguments,
        memory_bytes=plan.memory.needed_bytes,
        start_s=_START_S + sum(one.size_bytes for one in release.weights.files) // _LOAD_BYTES_PER_S,
        keys=str(Path(release.folder) / KEYS_FILE),
        keys_place=_KEYS,
        weights=release.weights.directory,
        weights_place=_WEIGHTS,
        host=_address(release.host),
        port=release.port,
        inner_port=_PORT,
        gate=(*PYTHON, GATE, str(_PORT), "engine", str(_PORT)),
        probe=("CMD", *PYTHON, PROBE, "127.0.0.1", str(_PORT), "/health"),
    )
    if yaml.safe_load(content)["services"]["engine"]["command"] != [one.replace("$", "$$") for one in arguments]:
        raise RenderError(text("compose-broken"), hint=text("compose-broken-hint"))
    return RenderedFiles("compose", (RenderedFile(PLAN_FILE, plan_text), RenderedFile(COMPOSE_FILE, content)))


def _word(value: str) -> str:
    """A YAML string that Compose reads back as `value`: JSON's quoting, and each $ doubled against interpolation."""
    return json.dumps(value.replace("$", "$$"))


def _address(host: str) -> str:
    """Compose publishes on numbers only. Raises RenderError for a name."""
    try:
        return str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host))
    except ValueError as error:
        raise RenderError(text("host-not-a-number", host=host), hint=text("host-not-a-number-hint")) from error
