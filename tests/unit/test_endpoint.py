"""The client against services that misbehave, each a real socket on loopback."""

import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from dsdeploy.adapters.chat import Chat, Question
from dsdeploy.adapters.endpoint import PATIENT, Endpoint, Waits, waits_for
from dsdeploy.adapters.load import Shape, run_arrivals, run_load
from dsdeploy.core.band import Band
from dsdeploy.core.errors import NoAnswer
from dsdeploy.stages.check.speed import waits_of
from tests.plans import h20_plan, speed

WAITS = Waits(connect_s=1, byte_s=0.3, total_s=1)
QUESTION = Question("hi", 4)
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


@contextmanager
def service(speak, wrap=None):
    """Listens on loopback and lets `speak` say whatever it likes to each caller, once it has heard its request."""
    stop = threading.Event()

    def serve():
        while not stop.is_set():
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(caller,), daemon=True).start()

    def talk(caller):
        try:
            with wrap(caller) if wrap else caller as caller:
                hear(caller)
                speak(caller.sendall, stop)
        except OSError:
            pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        try:
            yield Endpoint("127.0.0.1", listener.getsockname()[1])
        finally:
            stop.set()


def hear(caller):
    """The whole request, so that no answer is lost to a reset."""
    heard = caller.recv(65536)
    length = re.search(rb"Content-Length: (\d+)", heard)
    while length and len(heard.partition(b"\r\n\r\n")[2]) < int(length[1]):
        heard += caller.recv(65536)


def whole(body, kind="application/json", status="200 OK", length=None):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length or len(body)}\r\n\r\n"
    return head.encode() + body


def say(content):
    return lambda send, stop: send(content)


def drip(head, piece, pause_s=0.05):
    def speak(send, stop):
        send(head)
        while not stop.wait(pause_s):
            send(piece)

    return speak


def event(content):
    return b"data: " + (content if isinstance(content, bytes) else json.dumps(content).encode()) + b"\n\n"


def delta(words):
    return event({"choices": [{"delta": {"content": words}}]})


ANSWER = {"choices": [{"message": {"content": "yes"}}]}
EVIL = {
    "silent": (lambda send, stop: stop.wait(5), "answer-silent"),
    "dripping head": (drip(b"HTTP/1.1 200 OK\r\nX: ", b"x"), "answer-too-slow"),
    "dripping body": (drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x"), "answer-too-slow"),
    "endless body": (drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 2**20, 0), "answer-too-long"),
    "garbage": (say(b"\x00\xff\x13SSH-2.0-OpenSSH\r\n\r\n"), "answer-garbage"),
    "endless header": (say(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"), "answer-garbage"),
    "partial": (say(whole(b'{"choices": [', length=500)), "answer-cut"),
    "hangs up": (say(b""), "answer-cut"),
    "not json": (say(whole(b"<html>Welcome</html>", "text/html")), "answer-not-json"),
    "json list": (say(whole([1])), "answer-not-json"),
    "deep json": (say(whole(b"[" * 200_000)), "answer-not-json"),
    "200 with error": (say(whole({"error": {"message": "CUDA out of memory"}})), "answer-error"),
    "no choice": (say(whole({"choices": []})), "answer-no-choice"),
    "odd choice": (say(whole({"choices": ["yes"]})), "answer-no-choice"),
    "500": (say(whole({"error": "x"}, status="500 Oh")), "answer-status"),
}
EVIL_STREAMS = {
    "no stream": (say(whole(ANSWER)), "answer-no-stream"),
    "endless stream": (drip(STREAM, delta("x" * 500_000), 0), "answer-too-long"),
    "endless pieces": (drip(STREAM, delta("x"), 0), "answer-endless"),
    "dripping stream": (drip(STREAM, delta("x"), 0.1), "answer-too-slow"),
    "endless line": (drip(STREAM, b"data: " + b"x" * 2**20, 0), "answer-too-long"),
    "error inside": (say(STREAM + delta("a") + event({"error": "lost"})), "answer-error"),
    "garbage inside": (say(STREAM + event(b"{{")), "answer-not-json"),
    "401": (say(whole({"error": "key"}, status="401 No")), "answer-status"),
    "stops": (lambda send, stop: (send(STREAM + delta("a")), stop.wait(5)), "answer-silent"),
}


@pytest.mark.parametrize("name", EVIL)
def test_each_misbehaviour_of_a_whole_answer_is_named_and_never_hangs(name):
    speak, expected = EVIL[name]
    with service(speak) as endpoint, pytest.raises(NoAnswer) as caught:
        Chat(endpoint, "m", "k").complete(QUESTION, WAITS)
    assert caught.value.message.id == expected and caught.value.message.render("zh").isprintable()


@pytest.mark.parametrize("name", EVIL_STREAMS)
def test_each_misbehaviour_of_a_stream_is_named_and_never_hangs(name):
    speak, expected = EVIL_STREAMS[name]
    with service(speak) as endpoint, pytest.raises(NoAnswer) as caught:
        Chat(endpoint, "m", "k").stream(QUESTION, PATIENT if expected == "answer-too-long" else WAITS)
    assert caught.value.message.id == expected


@pytest.mark.parametrize("odd", [7, "x", [1], {"prompt_tokens": "x", "completion_tokens": -1}, None])
def test_odd_counts_and_tool_calls_are_left_out(odd):
    choice = {"message": {"content": "yes", "tool_calls": odd}, "delta": {"content": "yes"}}
    odd_one = {"choices": [choice], "usage": odd}
    with service(say(whole(odd_one))) as endpoint:
        reply = Chat(endpoint, "m", "k").reply(QUESTION, WAITS)
    assert (reply.content, reply.prompt_tokens, reply.tool_calls) == ("yes", None, ())
    with service(say(STREAM + event(odd_one) + b"data: [DONE]\n\n")) as endpoint:
        assert Chat(endpoint, "m", "k").stream(QUESTION, WAITS).sample.output_tokens == 1
        assert Chat(endpoint, "m", "k").time(QUESTION, WAITS).output_tokens == 1


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(NoAnswer) as caught:
        Endpoint("127.0.0.1", port).ask("/health", waits=WAITS)
    assert caught.value.message.id == "answer-refused"


def test_a_stream_counts_reasoning_and_tells_whether_it_was_ended():
    reasoning = event({"choices": [{"delta": {"reasoning_content": "think "}}]})
    usage = event({"choices": [], "usage": {"completion_tokens": 7}})
    with service(say(STREAM + b": ping\n\n" + reasoning + delta("日") + delta("本") + usage)) as endpoint:
        stream = Chat(endpoint, "m", None).stream(QUESTION, WAITS)
    assert (stream.words, stream.chunks, stream.finished) == ("think 日本", 3, False)
    assert stream.sample.output_tokens == 7 and 0 < stream.sample.first_s <= stream.sample.last_s


def test_a_load_asks_everyone_at_once_each_something_new_and_fails_with_the_first_broken_stream():
    here = threading.Barrier(3)

    def speak(send, stop):
        here.wait(5)
        send(STREAM + delta("a") + delta("b") + event(b"[DONE]"))

    with service(speak) as endpoint:
        load = run_load(Chat(endpoint, "m", "k"), 3, 2, Shape(1, 4), WAITS)
    assert (load.at_once, len(load.samples), load.samples[0].output_tokens) == (3, 6, 2)
    assert load.client_cpu_s > 0 and load.tokens_per_s > 0
    with service(say(STREAM + delta("a"))) as endpoint, pytest.raises(NoAnswer):
        run_load(Chat(endpoint, "m", "k"), 2, 1, Shape(1, 4), WAITS)


def test_an_open_load_does_not_wait_for_answers_and_its_clock_starts_when_a_request_is_due():
    here = threading.Barrier(4)

    def speak(send, stop):
        here.wait(5)  # nobody is answered before all have come
        send(STREAM + delta("a") + delta("b") + event(b"[DONE]"))

    with service(speak) as endpoint:
        load = run_arrivals(Chat(endpoint, "m", "k"), 50, 4, Shape(1, 4), WAITS)
    assert len(load.samples) == 4 and max(one.first_s for one in load.samples) > 0


def test_a_timed_stream_counts_by_usage_or_pieces_and_ends_with_its_last_words():
    usage = event({"choices": [], "usage": {"completion_tokens": 7}})
    for said, tokens in (
        (delta("a") + delta("b") + usage + event(b"[DONE]"), 7),
        (delta("") + delta("a") + delta("b") + event(b"[DONE]"), 2),
        (delta("a") + event(b"[DONE]"), 1),
    ):
        with service(say(STREAM + said)) as endpoint:
            sample = Chat(endpoint, "m", None).time(QUESTION, WAITS)
        assert sample.output_tokens == tokens and 0 < sample.first_s <= sample.last_s
    with service(say(STREAM + delta("a"))) as endpoint:
        assert Chat(endpoint, "m", None).time(QUESTION, WAITS) is None


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl for a certificate")
def test_tls_is_spoken_and_a_stranger_refused(tmp_path):
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=a"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run([*words.split(), *names], cwd=tmp_path, check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")

    def wrap(caller):
        return server.wrap_socket(caller, server_side=True)

    with service(say(whole(ANSWER)), wrap) as plain:
        trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        secure = Endpoint(plain.host, plain.port, trusting)
        assert Chat(secure, "m", "k").complete(QUESTION, WAITS) == "yes"
        with pytest.raises(NoAnswer) as caught:
            Endpoint(plain.host, plain.port, ssl.create_default_context()).ask("/", waits=WAITS)
        assert "certificate" in caught.value.message.render("en").lower()


def test_a_key_never_leaves_in_an_error():
    with service(say(whole(b"x", status="500 Oh"))) as endpoint, pytest.raises(NoAnswer) as caught:
        Chat(endpoint, "m", "dsk-secret").complete(QUESTION, WAITS)
    assert "dsk-secret" not in str(caught.value.message)


def test_a_wait_is_bounded_by_the_whole_not_by_each_byte():
    began = time.monotonic()
    with service(drip(STREAM, delta("x"), 0.05)) as endpoint, pytest.raises(NoAnswer) as caught:
        Chat(endpoint, "m", "k").stream(QUESTION, Waits(byte_s=30, total_s=0.4))
    assert caught.value.message.values["seconds"] == 0.4 and time.monotonic() - began < 25


def test_a_long_answer_and_a_late_first_token_are_waited_for():
    """2,048 tokens at 18 a second, whole: nothing is heard for 114 s; and a queue that the plan itself predicts."""
    whole, streamed = waits_for(2048, streamed=False), waits_for(2048)
    assert whole.byte_s > 2048 / 18 and streamed.byte_s == PATIENT.byte_s and whole.total_s == streamed.total_s > 114
    plan = h20_plan()
    assert waits_of(plan, Shape(16, 24)).byte_s == PATIENT.byte_s
    late = replace(speed(86), first_token_s=Band(30.0, 60.0, 90.0))
    assert waits_of(replace(plan, speed=late), Shape(16, 24)).byte_s > 90 * 300 / 86
