"""What dclint, a linter of Compose files, says of every kind of project that is rendered: nothing."""

import json
import os
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from dsdeploy.adapters.engines.llamacpp.launch import LlamaCpp
from tests.unit.test_render_compose import PLAN, VLLM, contents, on_devices

pytestmark = pytest.mark.node
# Its order of services and keys is the alphabet's and its own; ours is the reader's: what runs, on what, shut in how.
WAIVED = ("services-alphabetical-order", "service-keys-order", "top-level-properties-order")
PROJECTS = {
    "processor": lambda: contents(PLAN, partial(LlamaCpp().launch, PLAN.deployment)),
    "gpus": lambda: contents(on_devices(), lambda place: VLLM),
    "replicas": lambda: contents(on_devices(replicas=2), lambda place: VLLM),
    "machines": lambda: contents(replace(on_devices(nodes=2), hosts=("10.0.0.1", "10.0.0.2")), lambda place: VLLM),
}


@pytest.fixture(scope="session")
def dclint() -> Path:
    script = Path(__file__).parents[2] / "scripts/install-dclint.sh"
    subprocess.run(["bash", script], check=True)
    cache = os.environ.get("DSDEPLOY_TEST_CACHE") or Path.home() / ".cache/dsdeploy-tests"
    return Path(cache) / "dclint/node_modules/.bin/dclint"


def complaints(dclint: Path, folder: Path) -> tuple[int, set[str]]:
    """How many files were read, and the rules that were broken."""
    (folder / "rules.json").write_text(json.dumps({"rules": dict.fromkeys(WAIVED, 0)}))
    words = [dclint, "--recursive", "--formatter", "json", "--config", folder / "rules.json", folder]
    told = json.loads(subprocess.run(words, capture_output=True, text=True, check=False).stdout)
    return len(told), {one["rule"] for file in told for one in file["messages"]}


@pytest.mark.parametrize("kind", PROJECTS)
def test_a_rendered_project_is_clean(kind, dclint, tmp_path):
    files = {path: one for path, one in PROJECTS[kind]().items() if path.endswith("compose.yaml")}
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(content)
    assert complaints(dclint, tmp_path) == (len(files), set())


def test_the_linter_would_complain(dclint, tmp_path):
    (tmp_path / "compose.yaml").write_text('services:\n  web:\n    image: nginx:1.27\n    ports:\n      - "80:80"\n')
    count, found = complaints(dclint, tmp_path)
    assert count == 1 and "no-unbound-port-interfaces" in found
