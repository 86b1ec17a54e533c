"""The gateway itself: real HAProxy with the chart's configuration, real TLS, before a stand-in engine."""

import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dsdeploy.adapters.gateway import certificate
from dsdeploy.adapters.gateway.state import read_state, wait_until
from dsdeploy.core.errors import (
    CertificateExpired,
    CertificateUnusable,
    CertificateWrongHost,
    CertificateWrongKey,
    SecretsOpen,
)
from tests.fakes.engine import KEY
from tests.fakes.gateway import SECRET, Gateway, gateway, last, release_in, said, secure
from tests.program import ask as plain_ask
from tests.program import wait_until as wait_for

pytestmark = pytest.mark.haproxy
CHAT = "/v1/chat/completions"
PROMPT = "a-prompt-that-nobody-may-find-in-a-log"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with gateway(tmp_path_factory.mktemp("gateway"), RATE_PER_MINUTE="100000", CONCURRENT_PER_KEY="1000") as found:
        yield found


def ask(gateway: Gateway, path: str, key: str | None = SECRET, body: dict | None = None) -> tuple[int, str]:
    return plain_ask(f"{gateway.url}{path}", key, body, gateway.authority)


def test_a_key_opens_and_none_or_a_wrong_one_does_not(served):
    assert ask(served, "/v1/models")[0] == 200
    assert ask(served, CHAT, body={"messages": []})[0] == 200
    for wrong in (None, "wrong", SECRET[:-1], SECRET.upper()):
        assert ask(served, CHAT, wrong, {"messages": []})[0] == 401
    assert ask(served, "/healthz", None)[0] == ask(served, "/health", None)[0] == 200


def test_all_but_four_paths_are_closed_even_with_a_key(served):
    for path in ("/", "/metrics", "/invocations", "/slots", "/props", "/v1/embeddings", "/v1/models/x", "/state",
                 "/v1//models", "/V1/models", "/v1/chat/completions/", "/healthz/x"):  # fmt: skip
        assert ask(served, path)[0] == 403, path
    assert ask(served, CHAT)[0] == 405 and ask(served, "/v1/models", body={"a": 1})[0] == 405
    assert ask(served, "/v1/models/../../metrics")[0] == 403


def test_an_engine_is_told_at_once_when_a_client_leaves_before_its_answer(served):
    for streamed in (False, True):
        body = json.dumps({"stream": streamed, "first_s": 600})
        with secure(served) as connection:
            head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\n"
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            assert wait_until(served.inner, lambda state: state.upstreams[0].running == 1, 10)
        assert wait_until(served.inner, lambda state: state.upstreams[0].running == 0, 10)


@pytest.mark.parametrize("report", ["usage", "timings", None])
def test_tokens_are_counted_as_the_engine_tells_or_by_events(served, report):
    status, body = ask(served, CHAT, body={"stream": True, "max_tokens": 12, "report": report})
    assert status == 200 and body.rstrip().endswith("[DONE]")
    (entry,) = last(served)
    assert entry["key"] == "user" and entry["path"] == CHAT and entry["output_tokens"] == 12
    assert entry["counted_by"] == (report or "events") and entry["prompt_tokens"] == (7 if report else None)
    ask(served, CHAT, body={"max_tokens": 5})
    assert last(served)[0]["output_tokens"] == 5


def test_a_stream_is_passed_on_piece_by_piece(served):
    with secure(served) as connection:
        body = json.dumps({"stream": True, "max_tokens": 4, "gap_s": 0.3})
        request = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: {len(body)}"
        connection.sendall(f"{request}\r\n\r\n{body}".encode())
        pieces = []
        while not pieces or b"[DONE]" not in pieces[-1]:
            pieces.append(connection.recv(65536))
        assert sum(b"word" in one for one in pieces) == 4


def test_neither_key_nor_prompt_nor_query_is_found_in_any_log(served):
    ask(served, CHAT, body={"messages": [{"content": PROMPT}]})
    ask(served, f"/v1/models?key={SECRET}&q={PROMPT}")
    ask(served, f"/{PROMPT}/{SECRET}")
    with secure(served) as connection:
        said(connection, f"GET {PROMPT} {SECRET} broken\r\n\r\n")
    last(served)
    for log in (served.audit, served.log):
        assert SECRET not in log and PROMPT not in log and KEY not in log


def test_keys_change_while_a_stream_runs(served):
    stream = threading.Thread(target=lambda: results.append(ask(served, CHAT, body=long)))
    results: list[tuple[int, str]] = []
    long = {"stream": True, "max_tokens": 40, "gap_s": 0.1}
    other = "dsk-another-key-that-comes-later-0123456789"
    stream.start()
    time.sleep(0.5)
    served.write_keys(other=other)
    try:
        assert wait_until(served.inner, lambda state: ask(served, "/v1/models", other)[0] == 200, 10)
        assert ask(served, "/v1/models")[0] == 401
        stream.join()
        assert results[0][0] == 200 and results[0][1].rstrip().endswith("[DONE]")
        (served.folder / "secrets/keys/keys.map").write_text("no key file\n")
        time.sleep(2.5)
        assert ask(served, "/v1/models", other)[0] == 200  # what cannot be read changes nothing
    finally:
        served.write_keys(user=SECRET)
    assert wait_until(served.inner, lambda state: ask(served, "/v1/models")[0] == 200, 10)


def test_a_drained_engine_gets_nothing_new_and_ends_what_runs(served):
    results: list[tuple[int, str]] = []
    long = {"stream": True, "max_tokens": 40, "gap_s": 0.1}
    stream = threading.Thread(target=lambda: results.append(ask(served, CHAT, body=long)))
    stream.start()
    time.sleep(0.5)
    drain = served.folder / "secrets/keys/drain"
    drain.write_text("127.0.0.1\n")
    try:
        assert wait_until(served.inner, lambda state: state.upstreams[0].state == "DRAIN", 10)
        assert read_state(served.inner).upstreams[0].running == 1
        assert ask(served, "/v1/models")[0] == 503 and ask(served, "/healthz")[0] == 503
        stream.join()
        assert results[0][1].rstrip().endswith("[DONE]")
        assert wait_until(served.inner, lambda state: state.upstreams[0].running == 0, 5)
    finally:
        drain.write_text("")
    assert wait_until(served.inner, lambda state: state.upstreams[0].state == "UP", 10)


def test_a_new_certificate_is_shown_after_a_signal_and_a_running_stream_goes_on(served):
    results: list[tuple[int, str]] = []
    long = {"stream": True, "max_tokens": 40, "gap_s": 0.1}
    stream = threading.Thread(target=lambda: results.append(ask(served, CHAT, body=long)))
    before = ssl.get_server_certificate(("127.0.0.1", served.port))
    stream.start()
    time.sleep(0.5)
    certificate.make(release_in(served.folder))
    os.kill(served.pid, signal.SIGUSR2)
    wait_until(served.inner, lambda state: ssl.get_server_certificate(("127.0.0.1", served.port)) != before, 10)
    assert ssl.get_server_certificate(("127.0.0.1", served.port)) != before
    wait_until(served.inner, lambda state: state.upstreams[0].state == "UP", 10)
    assert ask(served, "/v1/models")[0] == 200
    stream.join()
    assert results[0][1].rstrip().endswith("[DONE]")


def test_a_stopped_gateway_ends_its_answers_first(tmp_path):
    """SIGUSR1 is what `docker stop` sends it: its image says so."""
    with gateway(tmp_path) as found:
        results: list[tuple[int, str]] = []
        long = {"stream": True, "max_tokens": 40, "gap_s": 0.1}
        stream = threading.Thread(target=lambda: results.append(ask(found, CHAT, body=long)))
        stream.start()
        assert wait_until(found.inner, lambda state: state.upstreams[0].running == 1, 10)
        os.kill(found.pid, signal.SIGUSR1)
        wait_for(lambda: refused(found))
        assert not results
        stream.join()
        assert results[0][0] == 200 and results[0][1].rstrip().endswith("[DONE]")


def refused(found: Gateway) -> bool:
    try:
        socket.create_connection(("127.0.0.1", found.port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_key_that_asks_too_often_or_too_much_at_once_is_slowed_down_alone(tmp_path):
    with gateway(tmp_path, RATE_PER_MINUTE="12", CONCURRENT_PER_KEY="2") as found:
        other = "dsk-another-key-that-comes-later-0123456789"
        found.write_keys(user=SECRET, other=other)
        assert wait_until(found.inner, lambda state: len(state.keys) == 2, 10)
        results: list[tuple[int, str]] = []
        long = {"stream": True, "max_tokens": 20, "gap_s": 0.1}
        streams = [threading.Thread(target=lambda: results.append(ask(found, CHAT, body=long))) for _ in range(2)]
        for one in streams:
            one.start()
        time.sleep(0.7)
        assert ask(found, "/v1/models")[0] == 429 and ask(found, "/v1/models", other)[0] == 200
        for one in streams:
            one.join()
        assert [status for status, _ in results] == [200, 200]
        statuses = [ask(found, "/v1/models")[0] for _ in range(15)]
        assert statuses[0] == 200 and statuses[-1] == 429
        assert ask(found, "/v1/models", other)[0] == 200


def test_prompts_are_logged_and_client_certificates_demanded_only_when_asked_for(tmp_path):
    authority = tmp_path / "secrets/ca/ca.crt"
    with gateway(tmp_path, LOG_PROMPTS="yes") as found:
        ask(found, CHAT, body={"messages": [{"content": PROMPT}]})
        assert PROMPT in last(found)[0]["prompt"] and SECRET not in found.audit
    (tmp_path / "second").mkdir()
    with gateway(tmp_path / "second", CLIENT_CA=str(authority)) as found:
        with pytest.raises(OSError):
            ask(found, "/v1/models")
        # a certificate for servers is no client's: its purpose is checked, too
        servers = (tmp_path / "secrets/tls/tls.crt", tmp_path / "secrets/tls/tls.key")
        with pytest.raises(OSError):
            ask_as(found, *servers)
        assert ask_as(found, *client_certificate(tmp_path)) == 200


def client_certificate(folder: Path) -> tuple[Path, Path]:
    """One for a client, signed by the authority in `folder`."""
    certificate, key = folder / "client.crt", folder / "client.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-CA", folder / "secrets/ca/ca.crt", "-CAkey", folder / "secrets/ca/ca.key", "-subj", "/CN=client",
         "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=clientAuth",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def ask_as(found: Gateway, certificate: Path, key: Path) -> int:
    own = ssl.create_default_context(cafile=str(found.authority))
    own.load_cert_chain(certificate, key)
    request = urllib.request.Request(f"{found.url}/v1/models", headers={"Authorization": f"Bearer {SECRET}"})
    with urllib.request.urlopen(request, context=own, timeout=10) as answer:
        return answer.status


def test_old_tls_and_plain_http_are_refused(served):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", served.port)) as plain, pytest.raises(OSError):
        old.wrap_socket(plain)
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" not in plain.recv(300)


def test_a_certificate_is_examined_before_anything_starts(tmp_path):
    release = release_in(tmp_path)
    certificate.make(release)
    own, key = tmp_path / "secrets/tls/tls.crt", tmp_path / "secrets/tls/tls.key"
    ends = certificate.examine(own, key, "127.0.0.1")
    assert not certificate.due(release) and certificate.due(replace(release, host="10.1.2.3"))
    with pytest.raises(CertificateExpired):
        certificate.examine(own, key, "127.0.0.1", at=ends + timedelta(days=1))
    with pytest.raises(CertificateExpired):
        certificate.examine(own, key, "127.0.0.1", at=datetime.now(UTC) - timedelta(days=2))
    with pytest.raises(CertificateWrongHost) as caught:
        certificate.examine(own, key, "llm.example.com")
    assert "localhost" in caught.value.message.render("en")
    with pytest.raises(CertificateWrongKey):
        certificate.examine(own, tmp_path / "secrets/ca/ca.key", "127.0.0.1")
    with pytest.raises(CertificateUnusable):
        certificate.examine(key, key, "127.0.0.1")
    key.chmod(0o644)
    with pytest.raises(SecretsOpen):
        certificate.examine(own, key, "127.0.0.1")


def test_a_renewed_certificate_keeps_its_authority(tmp_path):
    release = release_in(tmp_path)
    certificate.make(release)
    authority = (tmp_path / "secrets/ca/ca.crt").read_bytes()
    certificate.make(release)
    assert (tmp_path / "secrets/ca/ca.crt").read_bytes() == authority
    found = subprocess.run(
        ["openssl", "verify", "-CAfile", tmp_path / "secrets/ca/ca.crt", tmp_path / "secrets/tls/tls.crt"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr


def test_a_configuration_that_is_wrong_does_not_start(tmp_path):
    (tmp_path / "gw").mkdir()
    with pytest.raises(AssertionError), gateway(tmp_path / "gw", RATE_PER_MINUTE="many"):
        pass


def test_the_key_map_of_a_start_must_be_right(tmp_path):
    with gateway(tmp_path) as found:
        (found.folder / "secrets/keys/keys.map").write_text("not-a-hash user\n")
        words = {"GATEWAY_FOLDER": str(found.folder / "secrets"), "PATH": os.environ["PATH"]}
        config = Path(found.folder) / "secrets/config/haproxy.cfg"
        run = subprocess.run(["/usr/sbin/haproxy", "-c", "-f", config], env=words, capture_output=True, text=True)
        assert run.returncode != 0 and "keys.map" in run.stderr
