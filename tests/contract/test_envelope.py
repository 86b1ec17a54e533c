import json
import os
import subprocess
import sys

import pytest

FIELDS = ["schema", "command", "status", "exit_code", "data", "errors"]


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from dsdeploy.cli.main import main; main()"]
    return subprocess.run([*program, *words], capture_output=True, text=True, env={**os.environ, **environment})


@pytest.mark.parametrize("words", [("profile",), ("models", "list"), ("models", "show", "deepseek-r1"), ("plan",)])
def test_success_is_one_document(words):
    r = run(*words, "--json")
    assert r.returncode == 0, r.stderr
    document = json.loads(r.stdout)
    assert list(document) == FIELDS and document["status"] == "ok" and document["errors"] == []


@pytest.mark.parametrize(("language", "word"), [("en", "catalogue"), ("zh", "模型目录")])
def test_a_named_failure_is_one_document_too(language, word):
    r = run("--lang", language, "models", "show", "nothing-like-it", "--json")
    document = json.loads(r.stdout)
    assert r.returncode == document["exit_code"] == 2 and list(document) == FIELDS
    assert document["errors"][0]["code"] == "UnknownModel" and word in document["errors"][0]["message"]


def test_a_profile_is_saved_whole_or_not_at_all(tmp_path):
    assert run("profile", "--save", str(tmp_path / "host.json")).returncode == 0
    assert json.loads((tmp_path / "host.json").read_text())["kind"] == "Profile"
    r = run("--lang", "en", "profile", "--save", str(tmp_path / "missing" / "host.json"))
    assert r.returncode == 10 and "ProfileNotWritable" in r.stderr and "Traceback" not in r.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["host.json"]


@pytest.mark.parametrize("words", ["no-number", "=100", "Z900 =fast", "Z900=0", "Z900=nan", "Z900=100"])
def test_a_bandwidth_of_nothing_that_is_here_is_named(words, tmp_path):
    r = run("--lang", "en", "profile", "--bandwidth", words, "--save", str(tmp_path / "host.json"))
    assert r.returncode == 2 and "--bandwidth" in r.stderr and "Traceback" not in r.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [("--bandwidth", "Z900=1555"), ("--save", "host.json")])
def test_what_the_collector_has_no_use_for_is_named(words):
    r = run("--lang", "en", "profile", "--collector", *words)
    assert r.returncode == 2 and words[0] in r.stderr and "--from" in r.stderr and not r.stdout


def test_help_is_in_the_asked_language_and_loads_no_heavy_library():
    assert "模型目录" in run("--lang", "zh", "--help").stdout
    probe = (
        "import sys, dsdeploy.cli.main as m; m.build_app(m.House('en')); print([x for x in ('rich.table', 'psutil', "
        "'gpustack_runtime', 'kubernetes', 'docker') if x in sys.modules])"
    )
    r = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert r.stdout.strip() == "[]", r.stdout + r.stderr
