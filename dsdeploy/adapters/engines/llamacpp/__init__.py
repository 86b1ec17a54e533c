"""llama.cpp: the server's command line, by its own binary when there is one, else embedded through xllamacpp."""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from dsdeploy.core.errors import RuntimeMissing
from dsdeploy.core.plan import Plan
from dsdeploy.core.texts import text

SERVE_SCRIPT = Path(__file__).with_name("serve.py")
CLOSED = ("--no-ui", "--no-slots", "--offline")


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
    return (*place_options(model, plan.model_id, host, port, keys), *plan.engine_arguments, *CLOSED)


def place_options(model: str, name: str, host: str, port: int, keys: str) -> tuple[str, ...]:
    return ("--model", model, "--alias", name, "--host", host, "--port", str(port), "--api-key-file", keys)
