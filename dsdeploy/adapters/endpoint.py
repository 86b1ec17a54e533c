"""Asks a service over HTTP and trusts nothing it says: every wait has an end, every answer a largest size."""

import http.client
import io
import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsdeploy.core.errors import DsdeployError, NoAnswer
from dsdeploy.core.layout import CERTIFICATE_FILE
from dsdeploy.core.texts import Text, text
from dsdeploy.core.values import Release

_MAX_BYTES = 8 * 2**20
_STEP_BYTES = 65536
_QUOTED_BYTES = 200


@dataclass(frozen=True, slots=True)
class Waits:
    """How long to wait, in seconds: for the connection, for the next byte, for the whole answer."""

    connect_s: float = 3
    byte_s: float = 60
    total_s: float = 120


QUICK = Waits(byte_s=5, total_s=10)
PATIENT = Waits()
_SLOWEST_TOKEN_S = 0.2  # who gets fewer than five tokens a second is not served


def waits_for(output_tokens: int, *, first_s: float = PATIENT.byte_s, streamed: bool = True) -> Waits:
    """How long an answer may take: `first_s` for its first byte, then a time a token. One that is not streamed keeps
    silent until all of it is there."""
    writing_s = output_tokens * _SLOWEST_TOKEN_S
    byte_s = first_s if streamed else first_s + writing_s
    return Waits(byte_s=byte_s, total_s=PATIENT.total_s - PATIENT.byte_s + first_s + writing_s)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes

    def document(self) -> dict[str, Any]:
        """The body of a 200, which must be a JSON object without an error. Raises NoAnswer."""
        if self.status != 200:
            raise no_answer("answer-status", status=self.status, start=quoted(self.body))
        return read_document(self.body)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a service listens. `tls` is the context to speak TLS with; None is plain HTTP. `away` is why there is no
    way to it, which whoever asks then hears."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    away: DsdeployError | None = None

    @property
    def address(self) -> tuple[str, int]:
        """What to connect to: this machine for an address that means "every interface"."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host), self.port

    def ask(self, path: str, key: str | None = None, body: object = None, waits: Waits = PATIENT) -> Answer:
        """One whole answer, whatever its status; GET without a body, else POST of it as JSON. Raises NoAnswer."""
        with self._response(path, key, body, waits) as response:
            content = bytearray()
            while piece := response.read(_STEP_BYTES):
                content += piece
                _judge_size(len(content))
            if response.length:
                raise no_answer("answer-cut")
            return Answer(response.status, bytes(content))

    def events(self, path: str, key: str | None, body: object, waits: Waits = PATIENT) -> Iterator[str]:
        """The data of each server-sent event, as it comes. Raises NoAnswer, also for anything but 200 and a stream."""
        with self._response(path, key, body, waits) as response:
            kind = response.headers.get_content_type()
            if response.status != 200 or kind != "text/event-stream":
                start = response.read(_QUOTED_BYTES)
                if response.status != 200:
                    raise no_answer("answer-status", status=response.status, start=quoted(start))
                raise no_answer("answer-no-stream", kind=kind, start=quoted(start))
            rest, size = b"", 0
            while piece := response.read1(_STEP_BYTES):
                size += len(piece)
                _judge_size(size)
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    if line.startswith(b"data:"):
                        yield line[5:].strip().decode(errors="replace")

    @contextmanager
    def _response(self, path: str, key: str | None, body: object, waits: Waits) -> Iterator[http.client.HTTPResponse]:
        if self.away is not None:
            raise self.away
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        if content is not None:
            headers["Content-Type"] = "application/json"
        deadline = time.monotonic() + waits.total_s
        connection = http.client.HTTPConnection(*self.address)
        try:
            with self._connect(waits) as opened:
                connection.sock = _Bounded(opened, waits.byte_s, deadline)
                with suppress(BrokenPipeError, ConnectionResetError):  # it may answer before it has heard all
                    connection.request("GET" if content is None else "POST", path, content, headers)
                yield connection.getresponse()
        except TimeoutError as error:
            raise _too_slow(waits, deadline) from error
        except (http.client.IncompleteRead, BrokenPipeError, ConnectionResetError) as error:
            raise no_answer("answer-cut") from error
        except OSError as error:
            where = "{}:{}".format(*self.address)
            raise no_answer("answer-refused", where=where, reason=error) from error
        except (http.client.HTTPException, ValueError) as error:
            reason = quoted(f"{type(error).__name__}: {error}")
            raise no_answer("answer-garbage", reason=reason) from error

    def _connect(self, waits: Waits) -> socket.socket:
        plain = socket.create_connection(self.address, timeout=min(waits.connect_s, waits.total_s))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls is None:
            return plain
        try:
            return self.tls.wrap_socket(plain, server_hostname=self.address[0])
        except BaseException:
            plain.close()
            raise


def endpoint_of(release: Release) -> Endpoint:
    """Where `release` listens. Over TLS just its own certificate is taken, whoever has signed it. Raises NoAnswer."""
    if release.target == "process":
        return Endpoint(release.host, release.port)
    path = Path(release.folder) / CERTIFICATE_FILE
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # it is the certificate of this very release, which may be for another name
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(path)
    except (OSError, ssl.SSLError) as error:
        raise no_answer("answer-no-certificate", path=path, reason=error.strerror or type(error).__name__) from error
    return Endpoint(release.host, release.port, context)


class _Bounded(io.RawIOBase):
    """What `http.client` needs of a socket, each wait ending after `byte_s` and all of them together at `deadline`."""

    def __init__(self, inner: socket.socket, byte_s: float, deadline: float) -> None:
        self._inner = inner
        self._byte_s = byte_s
        self._deadline = deadline

    def sendall(self, content: bytes) -> None:
        self._wait_at_most(self._left_s())
        self._inner.sendall(content)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def close(self) -> None:
        """The socket is closed by whoever opened it."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._wait_at_most(min(self._byte_s, self._left_s()))
        return self._inner.recv_into(buffer)

    def _wait_at_most(self, wait_s: float) -> None:
        if wait_s != self._inner.gettimeout():  # setting it asks the kernel each time
            self._inner.settimeout(wait_s)

    def _left_s(self) -> float:
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s


def read_document(body: bytes | str) -> dict[str, Any]:
    """A JSON object that holds no error: some services say 200 and put an error inside. Raises NoAnswer."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise no_answer("answer-not-json", start=quoted(body)) from error
    if not isinstance(content, dict):
        raise no_answer("answer-not-json", start=quoted(body))
    if wrong := content.get("error"):
        said = wrong.get("message") if isinstance(wrong, dict) else None
        raise no_answer("answer-error", error=quoted(str(said or wrong)))
    return content


def no_answer(id: str, **values: Any) -> NoAnswer:
    return NoAnswer(Text(id, values), hint=text("no-answer-hint"))


def quoted(words: bytes | str) -> str:
    """The beginning of what a service said, safe to print on one line."""
    plain = words.decode(errors="replace") if isinstance(words, bytes) else words
    start = "".join(one if one.isprintable() else " " for one in plain[:_QUOTED_BYTES])
    return start + ("…" if len(plain) > _QUOTED_BYTES else "")


def _judge_size(size_bytes: int) -> None:
    if size_bytes > _MAX_BYTES:
        raise no_answer("answer-too-long", limit=f"{_MAX_BYTES:,}")


def _too_slow(waits: Waits, deadline: float) -> NoAnswer:
    if time.monotonic() >= deadline:
        return no_answer("answer-too-slow", seconds=waits.total_s)
    return no_answer("answer-silent", seconds=waits.byte_s)
