"""The tutorials, word for word: each `console` block is run as it stands, with a free port in place of 8080.

A word after `console` names the machine a block is for: each has a folder and a home of its own, and only what a
`carry` comment names goes from one to the other. Lines without `$` must occur in what the command above them said.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from dsdeploy.adapters.images.archive import describe_image
from dsdeploy.adapters.images.gateway import gateway_image
from tests.program import free_port, wait_until

_PAGES = Path(__file__).parents[2] / "docs" / "tutorials"
_STEP = re.compile(
    r"^```console ?(?P<machine>\w*)\n(?P<block>.*?)^```$"
    r'|^```yaml title="(?P<file>\S+)"\n(?P<content>.*?)^```$'
    r"|<!-- carry (?P<what>\S+) from (?P<start>\w+) to (?P<end>\w+) -->",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Machine:
    folder: Path
    home: Path

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        program = str(Path(sys.executable).parent)
        environment = {**os.environ, "HOME": str(self.home), "PATH": f"{program}:{os.environ['PATH']}"}
        environment |= {"LC_ALL": "C.UTF-8", "COLUMNS": "200"}
        for name in ("DSDEPLOY_HOME", "XDG_DATA_HOME"):
            environment.pop(name, None)
        return subprocess.run(
            ["bash", "-c", f"set -o pipefail; {command}"],
            cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600,
        )  # fmt: skip


def follow(page: str, room: Path, **known: str) -> None:
    """`known` are what stands for the names that a reader puts in."""
    words = (_PAGES / page).read_text(encoding="utf-8").replace("8080", str(free_port()))
    for name, real in known.items():
        words = re.sub(rf"registry\.site/dsdeploy/{name}@sha256:…", real, words)
    steps = list(_STEP.finditer(words))
    machines = {name: _machine(room / name) for one in steps if (name := one["machine"]) is not None}
    assert machines, page
    try:
        for step in steps:
            if step["file"]:
                (next(iter(machines.values())).folder / step["file"]).write_text(step["content"], encoding="utf-8")
            elif step["what"]:
                _carry(machines[step["start"]].folder / step["what"], machines[step["end"]].folder)
            else:
                _follow_block(machines[step["machine"]], step["block"])
    finally:
        for machine in machines.values():
            machine.run("dsdeploy uninstall --yes")


def _machine(folder: Path) -> Machine:
    for one in (folder / "work", folder / "home"):
        one.mkdir(parents=True, exist_ok=True)
    return Machine(folder / "work", folder / "home")


def _carry(what: Path, where: Path) -> None:
    if what.is_dir():
        shutil.copytree(what, where / what.name)
    else:
        shutil.copy(what, where / what.name)


def _follow_block(machine: Machine, block: str) -> None:
    said = ""
    for line in block.splitlines():
        if line.startswith("$ "):
            r = machine.run(line[2:])
            said = r.stdout + r.stderr
            assert r.returncode == 0, f"{line}\n{said}"
        else:
            assert line in said, f"{line!r} is not in:\n{said}"


@pytest.mark.parametrize(
    "page", ["laptop.md", "laptop.zh.md", "planning.md", "planning.zh.md", "air-gap.md", "air-gap.zh.md"]
)
def test_a_tutorial_runs_word_for_word(page, tmp_path):
    follow(page, tmp_path)


@pytest.mark.parametrize("page", ["upgrade.md", "upgrade.zh.md"])
def test_how_to_upgrade_runs_word_for_word(page, tmp_path):
    follow(f"../how-to/{page}", tmp_path)


@pytest.mark.docker
@pytest.mark.haproxy
@pytest.mark.parametrize("page", ["docker.md", "docker.zh.md"])
def test_the_docker_tutorial_runs_word_for_word(page, tmp_path, docker_engine):
    follow(page, tmp_path)


@pytest.mark.kubernetes
@pytest.mark.parametrize("page", ["cluster.md", "cluster.zh.md"])
def test_the_cluster_tutorial_runs_word_for_word(page, tmp_path, site):
    """What its administrator prepares is prepared here: the namespace, the claim and the images."""
    fetched = tmp_path / "cluster/home/.local/share/dsdeploy/weights/smoke/gguf-q4_k_m"
    size = {"accessModes": ["ReadOnlyMany"], "storageClassName": "site"}
    bound = {"hostPath": {"path": str(fetched)}, "claimRef": {"namespace": "deepseek", "name": "weights"}}
    asked = {"metadata": {"name": "weights"}, "spec": {**size, "resources": {"requests": {"storage": "1Gi"}}}}
    site.namespace("deepseek")
    site.api.create_persistent_volume(
        {"metadata": {"name": "tutorial"}, "spec": {**size, **bound, "capacity": {"storage": "1Gi"}}}
    )
    site.api.create_namespaced_persistent_volume_claim("deepseek", asked)
    images = {"llama-cpp": site.engine, "gateway": site.node.load(describe_image(gateway_image()))}
    try:
        follow(page, tmp_path, **images)
    finally:
        site.api.delete_namespace("deepseek")
        site.api.delete_persistent_volume("tutorial")
        wait_until(lambda: "deepseek" not in [one.metadata.name for one in site.api.list_namespace().items], 120)


def test_every_tutorial_is_run():
    told = {one.name for one in _PAGES.glob("*.md")}
    assert told | {"upgrade.md", "upgrade.zh.md"} == set(
        re.findall(r'"([a-z-]+(?:\.zh)?\.md)"', Path(__file__).read_text(encoding="utf-8"))
    )
