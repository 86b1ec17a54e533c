"""Checks of a real service, each with a planted fault that it catches and no wrong one does."""

import json
import re
import shutil
import socket
import threading
import xml.etree.ElementTree as ET

import pytest

from tests.program import free_port, run, run_json

QUICK = ("--skip", "speed")


@pytest.fixture(scope="module")
def served(fetched, tmp_path_factory):
    """One installed release for the whole chapter; a test that breaks it mends it."""
    home = tmp_path_factory.mktemp("served")
    shutil.copytree(fetched / "weights", home / "weights")
    plan = home / "plan.yaml"
    assert (
        run("plan", "--model", "smoke", "--users", "2", "--port", str(free_port()), "--out", str(plan)).returncode == 0
    )
    r = run("install", str(plan), "--home", str(home), "--yes")
    assert r.returncode == 0, r.stderr
    yield home
    run("uninstall", "--home", str(home), "--yes")


def check(home, *words):
    document = run_json("check", "--home", str(home), *words)
    return document, {one["id"]: one for one in document["data"]["findings"]}


def failed(findings):
    return {id for id, one in findings.items() if one["status"] == "fail"}


def test_a_healthy_service_passes_and_its_reports_stand_alone(served, tmp_path):
    page = tmp_path / "report.html"
    document, findings = check(served, "--report", str(page))
    assert document["exit_code"] == 0 and failed(findings) == set() and len(findings) > 20, findings
    assert findings["tokens-per-second"]["measured"] and findings["api-needs-key"]["status"] == "pass"
    assert not re.search(r"(?:src|href)\s*=|@import|url\(", page.read_text(encoding="utf-8"))
    key = (served / "releases/default/secrets/api-keys").read_text().strip()
    assert key not in page.read_text(encoding="utf-8") and "<svg" in page.read_text(encoding="utf-8")
    junit, plain = tmp_path / "report.xml", tmp_path / "report.json"
    check(served, *QUICK, "--report", str(junit))
    check(served, *QUICK, "--report", str(plain))
    assert len(list(ET.parse(junit).getroot().iter("testcase"))) == len(findings) - 4
    assert json.loads(plain.read_text(encoding="utf-8"))


def test_both_languages_say_everything(served, tmp_path):
    page = tmp_path / "report.html"
    r = run("--lang", "zh", "check", "--home", str(served), *QUICK, "--report", str(page))
    assert r.returncode == 0 and "验收报告" in page.read_text(encoding="utf-8") and "结论" in r.stdout


def test_only_skip_demote_and_strict(served):
    document, findings = check(served, "--only", "plan-unchanged", "--strict")
    assert list(findings) == ["plan-unchanged"] and document["exit_code"] == 0
    unknown = run_json("check", "--home", str(served), "--only", "plan-unchange")
    assert unknown["exit_code"] == 2 and "plan-unchanged" in unknown["errors"][0]["hint"]


def spoil(path, change):
    kept, mode = path.read_bytes(), path.stat().st_mode
    change(path)

    def mend():
        path.write_bytes(kept)
        path.chmod(mode)

    return mend


def flip_last_byte(path):
    with path.open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))


@pytest.mark.parametrize(
    ("place", "change", "caught"),
    [
        ("releases/default/secrets/api-keys", lambda path: path.chmod(0o644), "keys-file-private"),
        ("releases/default/plan.yaml", lambda path: path.write_text("users: 3\n"), "plan-unchanged"),
        ("weights/smoke/gguf-q4_k_m/gemma-3-270m-q4_k_m.gguf", flip_last_byte, "weights-unchanged"),
    ],
)
def test_a_planted_fault_is_caught_by_its_check_alone(served, place, change, caught):
    mend = spoil(served / place, change)
    try:
        document, findings = check(served, *QUICK)
        assert failed(findings) == {caught} and document["exit_code"] == 3, findings
        demoted, _ = check(served, *QUICK, "--demote", caught)
        assert demoted["exit_code"] == 0 and run(
            "check", "--home", str(served), "--only", caught, "--demote", caught, "--strict"
        ).returncode == 4  # fmt: skip
    finally:
        mend()
    assert failed(check(served, *QUICK)[1]) == set()


def test_another_model_is_caught(served):
    mend = spoil(served / "releases/default/release.json", lambda path: path.write_text(
        path.read_text().replace('"model_id": "smoke"', '"model_id": "another"')
    ))  # fmt: skip
    try:
        assert "right-model-served" in failed(check(served, "--only", "right-model-served")[1])
    finally:
        mend()


def garbage(connection):
    connection.recv(65536)
    connection.sendall(b"\x00\xffnonsense\r\n\r\n")


def error_in_200(connection):
    connection.recv(65536)
    body = b'{"error": {"message": "out of memory"}}'
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def endless(connection):
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    for _ in range(100_000):
        connection.sendall(b'data: {"choices": [{"delta": {"content": "x"}}]}\n\n' * 50)


@pytest.mark.parametrize("manner", [garbage, error_in_200, endless])
def test_a_service_that_answers_badly_fails_and_breaks_no_check(served, manner):
    """The release is pointed at a socket that speaks nonsense, as a broken or foreign service would."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    try:
                        manner(connection)
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
        port = server.getsockname()[1]
        mend = spoil(served / "releases/default/release.json", lambda path: path.write_text(
            re.sub(r'"port": \d+', f'"port": {port}', path.read_text())
        ))  # fmt: skip
        try:
            document, findings = check(served, *QUICK, "--skip", "weights-unchanged")
        finally:
            mend()
    assert document["exit_code"] == 3 and "check-broke" not in findings, findings
    assert failed(findings) & {"engine-healthy", "right-model-served", "chat-answers"}


def test_nothing_installed_is_named(tmp_path):
    document = run_json("check", "--home", str(tmp_path))
    assert document["exit_code"] == 15 and document["errors"][0]["code"] == "NothingInstalled"
