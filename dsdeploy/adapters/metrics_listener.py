"""Shows one text of metrics to whoever asks on this machine's own address."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from dsdeploy.core.errors import ListenRefused
from dsdeploy.core.texts import text

_LOOPBACK = ("127.0.0.1", "localhost")
_TIMEOUT_S = 10


class MetricsBoard:
    """What is shown: nothing (503) until the first text is there."""

    def __init__(self) -> None:
        self.content: bytes | None = None


@contextmanager
def show_metrics(place: str, board: MetricsBoard) -> Iterator[None]:
    """Listens at HOST:PORT while the block runs; loopback only. Raises ListenRefused."""
    host, _, port = place.rpartition(":")
    if host not in _LOOPBACK or not port.isdigit() or int(port) > 65535:
        raise ListenRefused(text("listen-refused", place=place), hint=text("listen-refused-hint"))

    class Shown(BaseHTTPRequestHandler):
        timeout = _TIMEOUT_S

        def do_GET(self) -> None:
            content = board.content if self.path == "/metrics" else b""
            self.send_response(503 if content is None else 200 if content else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:
            """Scrapes are no news."""

    try:
        server = ThreadingHTTPServer((host, int(port)), Shown)
    except OSError as error:
        message = text("listen-failed", place=place, reason=error)
        raise ListenRefused(message, hint=text("listen-refused-hint")) from error
    with server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
