"""What clients do wrong or mean ill, at the real gateway: others are served, the status is right, logs are silent."""

import contextlib
import json
import resource
import socket

import pytest

from tests.fakes.engine import KEY
from tests.fakes.gateway import SECRET, Gateway, gateway, last, said, secure
from tests.program import ask as plain_ask
from tests.program import wait_until

pytestmark = pytest.mark.haproxy
CHAT = "/v1/chat/completions"
HEAD = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\n"
FILES = 8192  # this process holds thousands of connections, and HAProxy both ends of them


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(FILES, hard)), hard))
    with gateway(tmp_path_factory.mktemp("gateway"), RATE_PER_MINUTE="100000", CONCURRENT_PER_KEY="1000") as found:
        yield found
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def ask(gateway: Gateway, path: str, key: str | None = SECRET, body: dict | None = None) -> tuple[int, str]:
    return plain_ask(f"{gateway.url}{path}", key, body, gateway.authority)


def test_a_long_prompt_passes_and_a_longer_one_is_refused(served):
    assert ask(served, CHAT, body={"messages": [{"content": "x" * 1_000_000}]})[0] == 200
    for longer in (10 * 2**20 + 1, 2**31, 2**32 + 4, 2**63 - 1):  # no number of bits makes it short again
        with secure(served) as connection:
            assert b" 413 " in said(connection, f"{HEAD}Content-Length: {longer}\r\n\r\n")
    for head in (HEAD, HEAD.replace(f"POST {CHAT}", "GET /v1/models"), f"{HEAD}Content-Length: 5\r\n"):
        with secure(served) as connection:
            assert b" 411 " in said(connection, f"{head}Transfer-Encoding: chunked\r\n\r\n")


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
def test_an_engine_that_would_take_another_protocol_is_not_asked(served, protocol):
    """Beyond the 101 nobody would look at paths any more."""
    with secure(served) as connection:
        head = HEAD.replace(f"POST {CHAT}", "GET /v1/models") + "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        assert b" 200 " in said(connection, f"{head}Connection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n")
        assert b" 403 " in said(connection, "POST /invocations HTTP/1.1\r\nHost: x\r\n\r\n")


def test_a_prompt_that_does_not_come_is_given_up_before_it_occupies_an_engine(served):
    with secure(served) as connection:
        assert b" 408 " in said(connection, f"{HEAD}Content-Length: 5000\r\n\r\n{{")
    assert last(served)[0]["engine"] != "engine1" and last(served)[0]["status"] == 408


@pytest.fixture
def crowd(served):
    """2,400 connections of three client addresses: 300 stop amid a request, the others are silent."""
    with contextlib.ExitStack() as opened:
        for number in range(2100):
            source = (f"127.0.0.{2 + number % 3}", 0)
            opened.enter_context(socket.create_connection(("127.0.0.1", served.port), 60, source_address=source))
        halves = [opened.enter_context(secure(served, source=f"127.0.0.{2 + number % 3}")) for number in range(300)]
        for one in halves:
            one.sendall(HEAD.encode())
        yield halves


def test_thousands_of_slow_connections_do_not_keep_others_out(served, crowd):
    assert all(ask(served, CHAT, body={"max_tokens": 1})[0] == 200 for _ in range(20))
    assert all(one.recv(300).startswith(b"HTTP/1.1 408") for one in crowd)
    assert ask(served, "/healthz", None)[0] == 200


def test_one_client_address_gets_no_more_than_its_share(served):
    opened = []
    try:
        for _ in range(1100):
            with contextlib.suppress(ConnectionResetError):
                opened.append(socket.create_connection(("127.0.0.1", served.port), 60, ("127.0.0.9", 0)))
        wait_until(lambda: sum(not closed(one) for one in opened) <= 1024, 30)
        with pytest.raises(OSError):
            secure(served, source="127.0.0.9")
        assert ask(served, CHAT, body={"max_tokens": 1})[0] == 200
    finally:
        for one in opened:
            one.close()


def closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_a_reader_that_stops_holds_nobody_up(served):
    body = json.dumps({"stream": True, "max_tokens": 50_000, "pad": 100})
    with secure(served, receive_bytes=4096) as stopped:
        assert b" 200 " in said(stopped, f"{HEAD}Content-Length: {len(body)}\r\n\r\n{body}")
        assert all(ask(served, CHAT, body={"stream": True, "max_tokens": 5})[0] == 200 for _ in range(20))


ODD = (
    b" b", b"\xff\xfe\x80", "\u5bc6\u94a5".encode(), b"\tb", b"'; drop--", b'"}{"key":"default', b"%00%n$(id)",
    b"/../keys.map", b"\\u0041", b"x" * 7000,
)  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_a_key_with_odd_signs_is_refused_and_leaves_the_log_whole(served, odd):
    head = f"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}".encode()
    with secure(served) as connection:
        assert said(connection, head + odd + b"\r\n\r\n")[9:12] == b"401"
    assert last(served)[0]["status"] == 401 and last(served)[0]["key"] == "-"
    for log in (served.audit, served.log):
        assert SECRET not in log and KEY not in log


def test_words_that_are_no_http_are_refused(served):
    for words in (b"\x00\x01\x02\r\n\r\n", HEAD.encode() + b"Content-Length: x\r\n\r\n"):
        with secure(served) as connection:
            assert said(connection, words)[9:12] == b"400"
    head = f"GET /v1/models HTTP/1.1\r\nHost: x\r\nX: {'y' * 20_000}\r\n\r\n"
    with secure(served) as connection:
        assert b" 400 " in said(connection, head)
    assert ask(served, "/v1/models")[0] == 200
