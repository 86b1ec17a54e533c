"""The systemd units of a release, judged by systemd itself."""

import shutil
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from dsdeploy.adapters.engines.llamacpp.launch import LlamaCpp
from tests.program import run
from tests.unit.test_render_compose import PLAN, RELEASE, contents

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed here")


def verify(unit: Path) -> None:
    r = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert r.returncode == 0 and unit.name not in r.stderr, r.stderr


def test_systemd_accepts_the_rendered_unit(home, plan, tmp_path):
    out = tmp_path / "rendered %20$ folder"
    assert run("render", str(plan), "--home", str(home), "--out", str(out)).returncode == 0
    verify(out / "dsdeploy-default.service")


@pytest.mark.docker
@pytest.mark.parametrize("folder", [RELEASE.folder, "/srv/50 % of it"])
def test_systemd_accepts_the_unit_of_a_compose_project(folder, tmp_path):
    files = contents(PLAN, partial(LlamaCpp().launch, PLAN.deployment), replace(RELEASE, folder=folder))
    (tmp_path / "dsdeploy-r1.service").write_text(files["dsdeploy-r1.service"])
    verify(tmp_path / "dsdeploy-r1.service")
