"""Installs that are killed, meet another or lose their node or API server: the next run completes them."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from dsdeploy.core.errors import ClusterAway, InstallError
from tests.kube.release import FOREVER, LISTEN, Case, start_install
from tests.program import wait_until

pytestmark = pytest.mark.kubernetes


def test_a_node_lost_during_load_is_named_and_a_second_run_completes(case):
    kubelet = case.site.node.process("kubelet")
    child = start_install(case, script=FOREVER, blocked_s=5)
    try:
        wait_until(lambda: any(one.status.phase == "Running" for one in case.pods()), 60)
        kubelet.send_signal(signal.SIGSTOP)
        said = child.communicate(timeout=120)[0]
    finally:
        kubelet.send_signal(signal.SIGCONT)
    assert child.returncode and "node-lost" in said
    wait_until(lambda: case.site.ready(), 60)
    assert case.install()[-1] == "helm-upgrade"


def test_an_install_killed_while_it_waits_is_completed_by_the_next(case):
    child = start_install(case, script=FOREVER)
    wait_until(lambda: any(one.status.phase == "Running" for one in case.pods()), 60)
    child.send_signal(signal.SIGKILL)
    child.wait()
    done = case.install()
    assert done[-1] == "helm-upgrade" and case.target.observe(case.release).state == "running"


def test_an_install_and_its_helm_killed_together_are_taken_up(case):
    child = start_install(case, script=FOREVER)
    wait_until(lambda: any(one.status.phase == "Running" for one in case.pods()), 60)
    note = json.loads((Path(case.release.folder) / "run/helm.json").read_text())
    os.kill(note["pid"], signal.SIGKILL)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert "take-up-helm" in case.install()
    assert case.target.observe(case.release).state == "running"


def test_the_api_server_killed_during_an_install_ends_nothing(case):
    child = start_install(case, script="import time; time.sleep(12);" + LISTEN)
    wait_until(lambda: any(one.status.phase == "Running" for one in case.pods()), 60)
    case.site.plane.kill("kube-apiserver")
    time.sleep(3)
    with pytest.raises(ClusterAway):
        case.target.observe(case.release)
    case.site.plane.start_api_server()
    said = child.communicate(timeout=120)[0]
    if child.returncode:
        assert case.install(script="import time; time.sleep(12);" + LISTEN)[-1] == "helm-upgrade", said
    assert case.target.observe(case.release).state == "running"


def test_two_installs_of_one_release_at_once(case, tmp_path):
    """From two homes: only one Helm may work; the other is told so, and the first is not disturbed."""
    child = start_install(case, script="import time; time.sleep(8);" + LISTEN)
    wait_until(lambda: any(one.status.phase == "Running" for one in case.pods()), 60)
    other = Case(case.site, case.namespace, tmp_path / "other")
    with pytest.raises(InstallError) as caught:
        other.install()
    assert caught.value.code == "HelmBusy"
    assert child.wait(timeout=120) == 0
    assert case.target.observe(case.release).state == "running"
