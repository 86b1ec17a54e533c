"""A Docker Engine for the tests that need one: the one that answers here, else one started for this session."""

import os
import subprocess
import time

import pytest

from dsdeploy.adapters.targets.compose.docker_engine import connect
from dsdeploy.core.errors import InstallError


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
