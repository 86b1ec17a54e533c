"""What is released: the same commit gives the same bytes."""

import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def built(out: Path, umask: int) -> dict[str, str]:
    environment = {**os.environ, "PYTHON": sys.executable, "SOURCE_DATE_EPOCH": "1760000000"}
    before = os.umask(umask)
    try:
        command = ["bash", str(ROOT / "scripts/release.sh"), str(out)]
        r = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    finally:
        os.umask(before)
    assert r.returncode == 0, r.stdout + r.stderr
    return {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in out.iterdir()}


def test_two_builds_are_the_same_to_the_byte_and_hold_what_a_site_needs(tmp_path):
    first, second = built(tmp_path / "one", 0o022), built(tmp_path / "two", 0o077)
    assert first == second and len(first) == 5, first
    (chart,) = (tmp_path / "one").glob("*.tgz")
    with tarfile.open(chart) as archive:
        assert "dsdeploy/Chart.yaml" in archive.getnames()
    (wheel,) = (tmp_path / "one").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (man,) = (name for name in archive.namelist() if name.endswith("/share/man/man1/dsdeploy.1"))
        assert archive.read(man).isascii()
    (docs,) = (tmp_path / "one").glob("dsdeploy-docs-*")
    with tarfile.open(docs) as archive:
        assert any(name.endswith("/zh/tutorials/air-gap.html") for name in archive.getnames())
    sums = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=tmp_path / "one", capture_output=True)
    assert sums.returncode == 0
