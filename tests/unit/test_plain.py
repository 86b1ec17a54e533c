import json
import subprocess
import sys

import pytest

from dsdeploy import __version__
from tests.program import run

H20 = ("plan", "--accelerator", "NVIDIA H20", "--count", "8", "--model", "deepseek-r1")


def test_a_plan_is_made_without_the_validator_that_costs_as_much():
    probe = (
        "import sys; from dsdeploy.cli.main import main\n"
        f"sys.argv[1:] = {[*H20, '--json']}\n"
        "try: main()\n"
        "except SystemExit: print('pydantic' in sys.modules, file=sys.stderr)"
    )
    r = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert r.stderr.strip() == "False" and json.loads(r.stdout)["status"] == "ok"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("plan", "--users", "many"), "<int>"),
        (("plan", "--first-token", "nan"), "<float>"),
        (("plan", "--tokens-per-second", "inf"), "<float>"),
        (("plan", "--count", "2.5"), "<int>"),
        (("bundle", "prune", "--keep", "0"), "--keep"),
    ],
)
def test_a_value_of_another_type_is_a_named_error(words, said):
    r = run("--lang", "en", *words)
    assert r.returncode == 2 and "UsageError" in r.stderr and said in r.stderr


def test_what_is_not_plain_is_still_read(tmp_path):
    r = run("--lang", "en", "plan", "--diff", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"))
    assert "a.yaml" in r.stderr and "UsageError" not in r.stderr


def test_the_version_is_told():
    r = run("--version")
    assert r.returncode == 0 and r.stdout == f"dsdeploy {__version__}\n"
