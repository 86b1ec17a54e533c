"""A Compose release through its life: upgraded under load, refused by its checks, put back, read, packed, watched."""

import json
import os
import shutil
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from dsdeploy.adapters.images.llamacpp import PYTHON
from dsdeploy.adapters.releases import load_release
from dsdeploy.adapters.targets.compose.docker_engine import connect, containers_of
from dsdeploy.core.layout import Layout
from dsdeploy.core.plan import DeviceMemory
from dsdeploy.stages.plan import load_plan, save_plan
from tests import program
from tests.program import free_port, run, run_json, wait_until

pytestmark = [pytest.mark.docker, pytest.mark.haproxy]
GATE = ("--only", "engine-healthy", "--only", "context-as-planned")
CHAT = "/v1/chat/completions"
PROMPT = "a prompt that nobody may find anywhere"


@pytest.fixture(scope="module")
def home(docker_engine, fetched, tmp_path_factory):
    """A release of the first of two plans, which differ in their context."""
    home, port = tmp_path_factory.mktemp("life"), str(free_port())
    shutil.copytree(fetched / "weights", home / "weights", copy_function=lambda a, b: Path(b).hardlink_to(a))
    for context in ("512", "1024"):
        words = ("--model", "smoke", "--users", "2", "--context", context, "--port", port, "--target", "compose")
        assert run("plan", *words, "--out", str(home / f"{context}.yaml")).returncode == 0
    r = run("install", str(home / "512.yaml"), "--home", str(home), "--name", "living", "--yes")
    assert r.returncode == 0, r.stderr
    yield home
    run("uninstall", "--home", str(home), "--yes")


def standing(home: Path) -> tuple[int, str, str]:
    (found,) = run_json("status", "--home", str(home))["data"]
    return found["release"]["context_tokens"], found["release"]["state"], found["service"]["state"]


def key_of(home: Path) -> str:
    return (home / "releases/living/secrets/api-keys").read_text().strip()


def ask(home: Path, body: dict | None = None, path: str = CHAT) -> tuple[int, str]:
    release = load_release(Layout(home), None)
    return program.ask(f"{release.url}{path}", key_of(home), body, Path(release.folder) / "secrets/ca/ca.crt")


def question(tokens: int) -> dict:
    return {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": tokens, "stream": True}


def upgrade(home: Path, plan: str, *more: str) -> dict:
    return run_json("upgrade", str(home / plan), "--home", str(home), "--yes", *more)


@pytest.mark.parametrize("mode", ["beside", "in-place"])
def test_a_revision_that_fails_its_checks_leaves_the_old_one_serving(home, mode):
    """The new plan promises a KV cache that this context never takes."""
    plan = load_plan(home / "1024.yaml")
    save_plan(replace(plan, device_memory=DeviceMemory(1, 1, {}, 1, 10**9, 10**9)), home / "wrong.yaml")
    document = upgrade(home, "wrong.yaml", "--mode", mode, *GATE, "--only", "kv-cache-as-predicted")
    assert document["exit_code"] == 3 and document["data"]["restored"], document
    assert standing(home) == (512, "installed", "running") and ask(home, question(4))[0] == 200
    assert [one.name for one in (home / "releases").iterdir()] == ["living"]
    assert containers_of(connect(), "dsdeploy-living-next") == ()


def test_one_engine_is_away_while_it_is_replaced_and_nobody_takes_a_cut_answer_for_a_whole_one(home):
    """llama.cpp cuts its answers off when it stops; until the new one is ready the gateway answers for it."""
    ended, results = threading.Event(), []

    def stream() -> None:
        while not ended.is_set():
            try:
                status, words = ask(home, question(16))
                results.append((status, words.rstrip().endswith("[DONE]")))
            except Exception as error:  # whatever a client would meet
                results.append((type(error).__name__, False))
            ended.wait(0.2)

    workers = [threading.Thread(target=stream) for _ in range(2)]
    for one in workers:
        one.start()
    try:
        wait_until(lambda: len(results) > 1, 240)
        done = upgrade(home, "1024.yaml", "--mode", "in-place", *GATE)
    finally:
        ended.set()
        for one in workers:
            one.join()
    assert done["exit_code"] == 0 and done["data"]["changed"], json.dumps(done)
    assert standing(home) == (1024, "installed", "running")
    assert (200, True) in results and not [one for one in results if one[1] and one[0] != 200]
    assert {one[0] for one in results} <= {200, 502, 503, 504, "IncompleteRead", "RemoteDisconnected", "URLError"}, (
        results
    )
    assert ask(home, question(4))[0] == 200


def test_a_rollback_puts_the_old_one_back_and_the_engine_returns_when_killed(home):
    back = run_json("rollback", "--home", str(home), "--yes", *GATE)
    assert back["exit_code"] == 0 and standing(home) == (512, "installed", "running"), back
    resilient = run_json("check", "--home", str(home), "--only", "engine-returns")
    assert resilient["exit_code"] == 0, resilient


def test_logs_are_of_the_engine_or_of_the_gateway_and_of_the_time_asked_for(home):
    home_words = ("--home", str(home))
    assert ask(home, question(4))[0] == 200
    engine = run("logs", *home_words).stdout
    gateway = run("logs", *home_words, "--part", "gateway", "--since", "1h").stdout
    assert "llama" in engine.lower() or "srv" in engine
    assert CHAT in gateway and '"key":"default"' in gateway.replace(" ", "")
    assert PROMPT not in engine + gateway and key_of(home) not in engine + gateway
    assert CHAT not in run("logs", *home_words, "--part", "gateway", "--since", "0s").stdout
    for wrong in (("--since", "yesterday"), ("--part", "verify")):
        assert run_json("logs", *home_words, *wrong)["errors"][0]["code"] == "InvalidRequest"


def test_a_support_bundle_of_real_containers_holds_no_secret(home, tmp_path):
    """Asked with keys, wrong keys, keys in the path, and a prompt; planted in what an operator may have edited."""
    planted = ("PLANTEDpassword1", "sk-PLANTED0123456789abcdef", "hf_PLANTED0123456789abcdefgh", "PLANTEDinheader9")
    release = load_release(Layout(home), None)
    authority = Path(release.folder) / "secrets/ca/ca.crt"
    program.ask(f"{release.url}/v1/models?api_key={planted[1]}", planted[3], None, authority)
    ask(home, question(4))
    notes = Path(release.folder) / "monitoring/notes.txt"
    notes.write_text(
        f"proxy http://ops:{planted[0]}@proxy:3128\nHF_TOKEN={planted[2]}\nAuthorization: Bearer {planted[3]}"
    )
    out = tmp_path / "support.tar.gz"
    try:
        document = run_json("support-bundle", "--home", str(home), "--out", str(out), HF_TOKEN=planted[2])
    finally:
        notes.unlink()
    assert document["exit_code"] == 0 and document["data"]["redacted"] > 2, document
    with tarfile.open(out) as archive:
        files = {one.name: archive.extractfile(one).read().decode() for one in archive.getmembers()}
    kept = (one for one in (Path(release.folder) / "secrets").rglob("*") if one.is_file() and one.suffix != ".crt")
    words = {word for one in kept for word in one.read_text().split() if len(word) > 15}
    assert len(words) > 2
    for secret in (*planted, PROMPT, *words):
        assert [name for name, content in files.items() if secret in content or secret in name] == [], secret
    assert any(name.endswith("gateway.log") for name in files) and "dsdeploy-support/engine.log" in files


@pytest.mark.skipif(os.getuid() != 0, reason="only root may look into Docker's own folder")
def test_docker_keeps_fifty_megabytes_of_log_a_container(home):
    """Sixty are said by a container with the release's own image and rotation."""
    from docker.types import LogConfig

    engine = next(one for one in containers_of(connect(), "dsdeploy-living") if "engine" in one.name)
    asked = engine.attrs["HostConfig"]["LogConfig"]
    talk = "for _ in range(60_000): print('x' * 1000)"
    talker = connect().containers.create(
        engine.image.id, entrypoint=[*PYTHON, "-c", talk], network_mode="none",
        log_config=LogConfig(type=asked["Type"], config=asked["Config"]),
    )  # fmt: skip
    try:
        talker.start()
        assert talker.wait(timeout=300)["StatusCode"] == 0
        talker.reload()
        log = Path(talker.attrs["LogPath"])
        sizes = [one.stat().st_size for one in log.parent.glob(f"{log.name}*")]
        assert len(sizes) == 5 and 30_000_000 < sum(sizes) < 52_000_000, sizes
    finally:
        talker.remove(force=True)
