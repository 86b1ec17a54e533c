"""A Compose release as its operator sees it: installed, checked, keys given and taken, engines replaced under load."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from dsdeploy.adapters.gateway.state import wait_until
from dsdeploy.adapters.releases import load_release
from dsdeploy.adapters.targets.compose import ComposeTarget
from dsdeploy.adapters.targets.compose.docker_engine import connect, containers_of
from dsdeploy.adapters.targets.compose.roll import inner_endpoint
from dsdeploy.adapters.targets.compose.up import gateway_of
from dsdeploy.core.layout import Layout
from dsdeploy.core.values import Release
from dsdeploy.stages.plan import load_plan
from dsdeploy.stages.render_compose import render_compose
from tests import program
from tests.program import free_port, run, run_json

pytestmark = [pytest.mark.docker, pytest.mark.haproxy]
CHAT = "/v1/chat/completions"
PROMPT = "a prompt that nobody may find in a log"
BODY = {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": 8}


@pytest.fixture(scope="module")
def served(docker_engine, fetched, tmp_path_factory):
    home = tmp_path_factory.mktemp("compose")
    shutil.copytree(fetched / "weights", home / "weights", copy_function=lambda a, b: Path(b).hardlink_to(a))
    plan = home / "plan.yaml"
    words = ("--model", "smoke", "--users", "2", "--port", str(free_port()), "--target", "compose")
    assert run("plan", *words, "--out", str(plan)).returncode == 0
    r = run("install", str(plan), "--home", str(home), "--name", "front", "--yes")
    assert r.returncode == 0, r.stderr
    yield home
    run("uninstall", "--home", str(home), "--yes")


def release_of(home: Path) -> Release:
    return load_release(Layout(home), None)


def ask(home: Path, path: str, key: str | None, body: dict | None = None) -> tuple[int, str]:
    release = release_of(home)
    return program.ask(f"{release.url}{path}", key, body, Path(release.folder) / "secrets/ca/ca.crt")


def first_key(home: Path) -> str:
    return (home / "releases/front/secrets/api-keys").read_text().strip()


def logs(home: Path) -> str:
    return "".join(one.logs().decode() for one in containers_of(connect(), "dsdeploy-front"))


def test_every_check_passes_through_the_gateway(served):
    document = run_json("check", "--home", str(served))
    wrong = [one for one in document["data"]["findings"] if one["status"] == "fail"]
    assert document["exit_code"] == 0 and wrong == []
    again = run_json("install", str(served / "plan.yaml"), "--home", str(served), "--name", "front", "--yes")
    assert again["data"]["changed"] is False


def test_keys_are_given_and_taken_while_it_runs(served, tmp_path):
    out = tmp_path / "alice.key"
    home = ("--home", str(served), "--yes")
    assert run("keys", "create", "alice", "--out", str(out), *home).returncode == 0
    alice = out.read_text().strip()
    assert out.stat().st_mode & 0o777 == 0o600 and ask(served, "/v1/models", alice)[0] == 200
    rotated = run_json("keys", "rotate", "alice", *home)["data"]["secret"]
    assert ask(served, "/v1/models", alice)[0] == 401 and ask(served, "/v1/models", rotated)[0] == 200
    shown = run_json("keys", "list", "--home", str(served))["data"]["keys"]
    assert [one["name"] for one in shown] == ["default", "alice"] and shown[1]["ends_with"] == rotated[-4:]
    assert run("keys", "revoke", "alice", *home).returncode == 0
    assert ask(served, "/v1/models", rotated)[0] == 401 and ask(served, "/v1/models", first_key(served))[0] == 200
    folder = served / "releases/front"
    kept = [one.read_text() for one in folder.rglob("*") if one.is_file() and one.name != "api-keys"]
    assert not any(key in content for key in (alice, rotated, first_key(served)) for content in kept)


def test_closed_paths_stay_closed_and_logs_hold_neither_key_nor_prompt(served):
    key = first_key(served)
    for path in ("/metrics", "/invocations", "/slots", "/props", "/v1/embeddings"):
        assert ask(served, path, key)[0] == 403
    assert ask(served, CHAT, key, BODY)[0] == 200
    entries = [json.loads(line) for line in gateway_log(served)]
    told = [one for one in entries if one.get("path") == CHAT and one.get("status") == 200]
    assert told and told[-1]["key"] == "default" and told[-1]["output_tokens"] and told[-1]["prompt_tokens"]
    engine_key = (served / "releases/front/secrets/engine/engine-key").read_text().strip()
    assert not any(word in logs(served) for word in (key, PROMPT, engine_key))
    attrs = json.dumps([one.attrs for one in containers_of(connect(), "dsdeploy-front")])
    assert key not in attrs and engine_key not in attrs


def gateway_log(home: Path) -> list[str]:
    found = next(one for one in containers_of(connect(), "dsdeploy-front") if "gateway" in one.name)
    return found.logs(stdout=True, stderr=False).decode().splitlines()


def test_the_gateway_is_confined_and_has_no_shell(served):
    found = next(one for one in containers_of(connect(), "dsdeploy-front") if "gateway" in one.name)
    host = found.attrs["HostConfig"]
    assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["Privileged"]
    assert all(not one["RW"] for one in found.attrs["Mounts"])
    code, _ = found.exec_run(["sh", "-c", "true"])
    assert code != 0


def test_a_site_certificate_is_examined_then_taken_without_a_restart(served, tmp_path):
    from dsdeploy.adapters.gateway import certificate

    site = replace(release_of(served), folder=str(tmp_path), name="site")
    certificate.make(site)
    words = ("--home", str(served), "--name", "front", "--yes", "--tls-key", str(tmp_path / "secrets/tls/tls.key"))
    wrong = run("install", str(served / "plan.yaml"), *words, "--tls-certificate", str(tmp_path / "secrets/ca/ca.crt"))
    assert wrong.returncode == 15 and "CertificateWrongKey" in wrong.stderr
    started = [one.attrs["State"]["StartedAt"] for one in containers_of(connect(), "dsdeploy-front")]
    tls = ("--tls-certificate", str(tmp_path / "secrets/tls/tls.crt"))
    authority = ("--tls-authority", str(tmp_path / "secrets/ca/ca.crt"))
    right = run("install", str(served / "plan.yaml"), *words, *tls, *authority)
    assert right.returncode == 0, right.stderr
    assert ask(served, "/v1/models", first_key(served))[0] == 200
    assert [one.attrs["State"]["StartedAt"] for one in containers_of(connect(), "dsdeploy-front")] == started


@pytest.mark.parametrize(
    ("wrong", "code", "said"), [("expired", "CertificateExpired", "有效期"), ("open", "SecretsOpen", "权限为 0644")]
)
def test_a_certificate_that_cannot_serve_is_refused_in_both_languages(served, tmp_path, monkeypatch, wrong, code, said):
    from dsdeploy.adapters.gateway import certificate

    if wrong == "expired":
        monkeypatch.setattr(certificate, "_DAYS", -0.01)  # from an hour ago to fourteen minutes ago
    certificate.make(replace(release_of(served), folder=str(tmp_path), name="site"))
    key = tmp_path / "secrets/tls/tls.key"
    key.chmod(0o644 if wrong == "open" else 0o600)
    words = ("--home", str(served), "--name", "front", "--yes", "--tls-key", str(key))
    words = ("install", str(served / "plan.yaml"), *words, "--tls-certificate", str(tmp_path / "secrets/tls/tls.crt"))
    english, chinese = run(*words), run(*words, LC_ALL="zh_CN.UTF-8")
    assert english.returncode == chinese.returncode == 15
    assert code in english.stderr and code in chinese.stderr and said in chinese.stderr
    assert ask(served, "/v1/models", first_key(served))[0] == 200


@pytest.mark.parametrize("service", ["engine", "gateway"])
def test_what_docker_stops_ends_its_answers_first(served, service):
    found = next(one for one in containers_of(connect(), "dsdeploy-front") if service in one.name)
    results: list[tuple[int, str]] = []
    body = BODY | {"stream": True, "max_tokens": 24}
    stream = threading.Thread(target=lambda: results.append(ask(served, CHAT, first_key(served), body)))
    stream.start()
    inner = inner_endpoint(gateway_of(connect(), "dsdeploy-front"), "dsdeploy-front")
    assert wait_until(inner, lambda state: state.upstreams[0].running == 1, 30)
    found.stop(timeout=120)  # this machine may be slower than the grace period
    try:
        stream.join()
        assert results[0][0] == 200 and results[0][1].rstrip().endswith("[DONE]")
    finally:
        found.start()
        program.wait_until(lambda: answers(served), 120)


def answers(home: Path) -> bool:
    """Asked through to the engine: the gateway may take one that was stopped for ready until its next look."""
    try:
        return ask(home, "/v1/models", first_key(home))[0] == 200
    except OSError:
        return False


def test_two_engines_are_replaced_under_load_and_no_answer_is_lost(served):
    from functools import partial

    from dsdeploy.adapters.engines.llamacpp.launch import LlamaCpp

    release, target = release_of(served), ComposeTarget()
    base = load_plan(served / "plan.yaml")
    two = replace(base, deployment=replace(base.deployment, replicas=2))
    other = replace(two, deployment=replace(two.deployment, max_model_len=two.deployment.max_model_len // 2))

    def bring(plan) -> list[str]:
        rendered = render_compose(plan, "plan\n", release, partial(LlamaCpp().launch, plan.deployment), target.images)
        done = []
        for operation in target.pending(release, rendered):
            target.apply(operation, release, rendered)
            done.append(operation.action)
        return done

    bring(two)
    assert len(containers_of(connect(), "dsdeploy-front")) == 3
    before = {one.id for one in containers_of(connect(), "dsdeploy-front") if "engine" in one.name}
    ended, results = threading.Event(), []
    body = BODY | {"stream": True, "max_tokens": 24}

    def stream() -> None:
        while not ended.is_set():
            try:
                status, answer = ask(served, CHAT, first_key(served), body)
                results.append((status, answer.rstrip().endswith("[DONE]")))
            except Exception as error:  # whatever a client would meet is a lost answer
                results.append((type(error).__name__, False))
            ended.wait(0.5)  # four at a time stay below the key's 600 a minute, however fast this machine is

    workers = [threading.Thread(target=stream) for _ in range(4)]
    for one in workers:
        one.start()
    try:
        assert "replace-engines" in bring(other)
    finally:
        ended.set()
        for one in workers:
            one.join()
    after = {one.id for one in containers_of(connect(), "dsdeploy-front") if "engine" in one.name}
    assert len(after) == 2 and not before & after
    assert len(results) > 8 and set(results) == {(200, True)}, results
    assert bring(other) == []
    next(one for one in containers_of(connect(), "dsdeploy-front") if "engine" in one.name).stop(timeout=1)
    assert "replace-engines" in bring(two)  # one that serves nobody keeps no change out
    assert bring(two) == []
    (served / "releases/front/secrets/keys/drain").write_text(
        "172.16.0.9\n"
    )  # as a replacement that was killed leaves it
    assert bring(two) == ["compose-up"] and bring(two) == []


def test_the_site_says_how_far_back_the_audit_log_reaches(served):
    def kept() -> dict[str, str]:
        found = next(one for one in containers_of(connect(), "dsdeploy-front") if "gateway" in one.name)
        return found.attrs["HostConfig"]["LogConfig"]["Config"]

    assert kept() == {"max-size": "100m", "max-file": "10", "compress": "true"}
    (served / "releases/front/.env").write_text("GATEWAY_LOG_SIZE=1m\nGATEWAY_LOG_FILES=400\n")
    r = run("install", str(served / "plan.yaml"), "--home", str(served), "--name", "front", "--yes")
    assert r.returncode == 0, r.stderr
    assert kept() == {"max-size": "1m", "max-file": "400", "compress": "true"}
    assert ask(served, CHAT, first_key(served), BODY)[0] == 200
    assert CHAT in run("logs", "front", "--home", str(served), "--part", "gateway").stdout
