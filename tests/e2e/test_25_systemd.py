"""The systemd unit of a release, judged by systemd itself."""

import shutil
import subprocess

import pytest

from tests.program import run


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed here")
def test_systemd_accepts_the_rendered_unit(home, plan, tmp_path):
    out = tmp_path / "rendered %20$ folder"
    assert run("render", str(plan), "--home", str(home), "--out", str(out)).returncode == 0
    r = subprocess.run(["systemd-analyze", "verify", out / "dsdeploy-default.service"], capture_output=True, text=True)
    assert r.returncode == 0 and "default.service" not in r.stderr, r.stderr
