"""What somebody sees at three in the morning: whole words, at any width, in either language."""

import subprocess
from dataclasses import replace

import pytest
from rich.cells import cell_len

from dsdeploy.cli.views.install import installed_rows, status_rows
from dsdeploy.cli.views.table import COMMAND, table_lines
from dsdeploy.core.texts import text
from dsdeploy.core.values import Installed, Release, Service, Status, Weights

RELEASE = Release(
    "default", "compose", "DeepSeek-R1-Distill-Qwen-32B", "gguf-q4_k_m", 4096, 2, "192.168.100.200", 18443, "",
    "/nowhere", Weights("m", "f", "s", None, "/w", ()), 12, "installed", "2026-11-25T03:00:00+00:00",
)  # fmt: skip
RUNNING = Service("running", 7, 0, ())


def drawn(statuses, language, width):
    return "\n".join(line for line, _ in table_lines(status_rows(statuses, language), width))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [80, 140])
def test_status_keeps_names_addresses_and_states_whole(language, width):
    ill = replace(RELEASE, name="second", state="upgrading")
    silent = Status(replace(RELEASE, name="third"), Service("unknown", None, 0, ()), text("answer-cut"))
    words = drawn((Status(RELEASE, RUNNING), Status(ill, Service("failed", None, 5, ())), silent), language, width)
    for whole in ("default (#12, compose)", "DeepSeek-R1-Distill-Qwen-32B", "https://192.168.100.200:18443"):
        assert whole in words
    assert all(cell_len(line) <= width for line in words.splitlines())
    assert "rollback" in words and text("answer-cut").render(language)[:6] in words and "5" in words
    here = replace(RELEASE, folder=f"/home/ops team/{'deep/' * 20}default")
    stopped = drawn((Status(here, Service("stopped", None, 0, ())),), language, width)
    start = f"    dsdeploy install '{here.folder}/plan.yaml' --name default"
    assert "    dsdeploy logs default" in stopped.splitlines() and start in stopped.splitlines()
    assert "dsdeploy logs" not in drawn((Status(RELEASE, RUNNING),), language, width)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_status_of_nothing_says_so(language):
    assert "--home" in drawn((), language, 80)


def test_a_service_of_a_cluster_is_told_by_its_name_there_and_tried_through_a_way_from_here(tmp_path):
    (tmp_path / "cluster.json").write_text('{"context": "prod", "namespace": "llm", "server": "https://api"}')
    release = replace(RELEASE, target="kubernetes", folder=str(tmp_path))
    words = dict(row for row in installed_rows(Installed(release, True, (), ()), "en")[1])
    assert words["Address"] == "https://default-dsdeploy.llm.svc/v1"
    assert "port-forward service/default-dsdeploy 8443:https" in words["First, in another terminal"]
    assert "https://127.0.0.1:8443/v1/chat" in words["Try it"] and "--context prod" in str(words)
    assert "https://default-dsdeploy.llm.svc/v1" in drawn((Status(release, RUNNING),), "en", 80)
    (tmp_path / "cluster.json").write_text("{")
    assert release.url in drawn((Status(release, RUNNING),), "en", 80)


def test_the_key_to_try_is_in_no_arguments(tmp_path):
    """The shown command runs in a shell; here `curl` only tells its arguments and what it is given to read."""
    keys = tmp_path / "secrets/api-keys"
    keys.parent.mkdir()
    keys.write_text("dsk-first\ndsk-second\n")
    _, rows = installed_rows(Installed(replace(RELEASE, folder=str(tmp_path)), True, (), ()), "en")
    (words,) = [value for name, value in rows if name == "Try it"]
    assert words.startswith(COMMAND)
    told = subprocess.run(
        ["bash", "-c", f'curl() {{ echo "arguments: $*"; cat; }}\n{words.removeprefix(COMMAND)}'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    arguments, config = told.splitlines()
    assert "dsk-" not in arguments and config == "Authorization: Bearer dsk-first"
