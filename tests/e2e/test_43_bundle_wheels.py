"""The program itself arrives: wheels for the site's Python, installed and run there without a network."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.program import environment, run_json

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("DSDEPLOY_TEST_CACHE") or Path.home() / ".cache/dsdeploy-tests")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> Path:
    """This checkout's wheel and those of the lock file; the latter are fetched once for each lock file."""
    lock = ROOT / "requirements.lock"
    kept = CACHE / f"wheels-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}-{sys.version_info.minor}"
    tool = CACHE / "pip"
    if not (tool / "bin/pip").exists():
        subprocess.run([sys.executable, "-m", "venv", str(tool)], check=True)
    if not kept.exists():
        beside = kept.with_name(kept.name + ".partial")
        shutil.rmtree(beside, ignore_errors=True)
        words = ["wheel", "--quiet", "--no-deps", "--wheel-dir", str(beside), "--requirement", str(lock)]
        subprocess.run([str(tool / "bin/pip"), *words], check=True)
        beside.rename(kept)
    folder = tmp_path_factory.mktemp("house") / "wheels"
    shutil.copytree(kept, folder)
    words = ["wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run([str(tool / "bin/pip"), *words], check=True)
    return folder


def test_the_program_is_installed_from_the_bundle_without_a_network(wheels, fetched, tmp_path):
    medium, home, place = tmp_path / "medium", tmp_path / "home", tmp_path / "installed"
    build = ["bundle", "create", str(fetched / "plan.yaml"), "--home", str(fetched), "--output", str(medium)]
    refused = run_json(*build, "--allow-unsigned", "--wheels", str(tmp_path))
    assert refused["errors"][0]["code"] == "PayloadMissing"
    made = run_json(*build, "--allow-unsigned", "--wheels", str(wheels), "--include", str(ROOT / "LICENSE"))
    assert made["status"] == "ok", made
    loaded = run_json("bundle", "load", "--from", str(medium), "--home", str(home), "--allow-unsigned")["data"]
    files = Path(loaded["folder"]) / "files"
    assert (files / "extra/LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    script = (
        f"{sys.executable} -m venv {place} && "
        f"{place}/bin/pip install --quiet --no-index --find-links {files / 'wheels'} dsdeploy && "
        f"cd / && {place}/bin/dsdeploy models list --json"
    )
    clean = {key: value for key, value in environment().items() if key != "PYTHONPATH"}
    r = subprocess.run(["unshare", "-rn", "sh", "-ec", script], capture_output=True, text=True, env=clean, timeout=600)
    assert r.returncode == 0 and '"status": "ok"' in r.stdout, r.stderr
