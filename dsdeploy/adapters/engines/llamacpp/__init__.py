"""llama.cpp: the server's command line, by its own binary when there is one, else embedded through xllamacpp."""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from dsdeploy.core.deployment import Launch, Place
from dsdeploy.core.errors import RuntimeMissing
from dsdeploy.core.texts import text
from dsdeploy.core.values import Plan

SERVE_SCRIPT = Path(__file__).with_name("serve.py")


def engine_command() -> tuple[str, ...]:
    """The words that start a server here. Raises RuntimeMissing."""
    binary = shutil.which("llama-server")
    if binary:
        return (binary,)
    if find_spec("xllamacpp"):
        return (sys.executable, "-I", str(SERVE_SCRIPT))
    raise RuntimeMissing(text("engine-missing"), hint=text("engine-missing-hint"))


def server_arguments(plan: Plan, *, model: str, keys: str, host: str, port: int) -> tuple[str, ...]:
    """Options of llama-server b11434: the plan's own, and those that name files, close doors and stay offline."""
    place = ("--model", model, "--alias", plan.model_id, "--host", host, "--port", str(port), "--api-key-file", keys)
    return (*place, *plan.engine_arguments, "--no-ui", "--no-slots", "--offline")


def image_launch(plan: Plan, place: Place) -> Launch:
    """How the image that is made here starts: its program is llama-server, whether binary or embedded."""
    arguments = server_arguments(plan, model=place.weights, keys=place.keys_file, host=place.host, port=place.port)
    return Launch(
        image=None, argv=("llama-server", *arguments), environment={}, port=place.port, ready_path="/health",
        metrics_path=None, load_s=60, drain_s=20,
    )  # fmt: skip
