"""The Compose binary: the plugin of the docker command, or the one that a Python package brings."""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from dsdeploy.adapters.targets.compose.docker_engine import docker_host
from dsdeploy.core.errors import RuntimeMissing
from dsdeploy.core.texts import text

_OLDEST = 2
_TIMEOUT_S = 60


@cache
def compose_command() -> tuple[str, ...]:
    """The words that start Compose 2 or later. Raises RuntimeMissing."""
    beside = Path(sys.executable).with_name("docker-compose")
    for words in (("docker", "compose"), ("docker-compose",), (str(beside),)):
        found = re.match(r"v?(\d+)\.", _answer((*words, "version", "--short")))
        if found and int(found[1]) >= _OLDEST:
            return words
    raise RuntimeMissing(text("compose-missing"), hint=text("compose-missing-hint"))


def config_hashes(project: str, content: str, folder: Path) -> dict[str, str]:
    """service → the hash that Compose would label its containers with; `folder` may hold an .env file.

    Raises RuntimeMissing, ValueError.
    """
    place = ("--project-directory", str(folder)) if folder.is_dir() else ()
    words = (*compose_command(), "--project-name", project, *place, "--file", "-", "config", "--hash", "*")
    run = subprocess.run(
        words, input=content, capture_output=True, text=True, env=environment(), timeout=_TIMEOUT_S, check=False
    )
    if run.returncode:
        raise ValueError(run.stderr.strip())
    return dict(line.split(" ", 1) for line in run.stdout.splitlines())


def environment() -> dict[str, str]:
    """This process's own, without what would point Compose to another engine or project than the one asked here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COMPOSE_", "DOCKER_CONTEXT"))}
    return {**kept, "DOCKER_HOST": docker_host()}


def _answer(words: tuple[str, ...]) -> str:
    if shutil.which(words[0]) is None:
        return ""
    try:
        run = subprocess.run(words, capture_output=True, text=True, env=environment(), timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""
