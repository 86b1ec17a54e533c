"""A model hub on loopback, spoken to by the real `huggingface_hub`: no real one can be reached where tests run.

It answers what the library asks: the model's metadata with LFS digests, HEAD and ranged GET of a file. Its behaviour
can be broken on purpose: refuse with a status, stop in the middle, flip a byte, be slow.
"""

import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "a" * 40


@dataclass
class FakeHub:
    repo: str
    files: dict[str, bytes]
    status: int = 200
    stop_after: int | None = None
    flip: bool = False
    block_pause_s: float = 0
    token: str | None = None
    served: int = 0
    ranges: list[str] = field(default_factory=list)

    def __enter__(self) -> "FakeHub":
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words: Any) -> None:
                pass

            def do_HEAD(self) -> None:
                hub.answer(self, body=False)

            def do_GET(self) -> None:
                hub.answer(self, body=True)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, request: BaseHTTPRequestHandler, body: bool) -> None:
        refused = self.token and request.headers.get("Authorization") != f"Bearer {self.token}"
        if self.status != 200 or refused:
            return self._send(request, 401 if refused else self.status, {}, b'{"error": "refused"}', body)
        path = request.path.partition("?")[0]
        if path.startswith(f"/api/models/{self.repo}"):
            siblings = [
                {
                    "rfilename": name,
                    "size": len(data),
                    "lfs": {"sha256": _sha(data), "size": len(data), "pointerSize": 134},
                }
                for name, data in self.files.items()
            ]
            content = {"id": self.repo, "modelId": self.repo, "sha": COMMIT, "siblings": siblings, "tags": []}
            return self._send(request, 200, {"Content-Type": "application/json"}, json.dumps(content).encode(), body)
        name = path.partition(f"/resolve/{COMMIT}/")[2]
        if name not in self.files:
            return self._send(request, 404, {"X-Error-Code": "EntryNotFound"}, b"", body)
        data = self.files[name]
        headers = {"ETag": f'"{_sha(data)}"', "X-Repo-Commit": COMMIT, "X-Linked-Size": str(len(data))}
        headers |= {"X-Linked-Etag": f'"{_sha(data)}"', "Accept-Ranges": "bytes"}
        begin = 0
        if body and (asked := request.headers.get("Range")):
            self.ranges.append(asked)
            begin = int(asked.removeprefix("bytes=").partition("-")[0])
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        self._send(request, 206 if begin else 200, headers, data[begin:], body)

    def _send(
        self, request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], data: bytes, body: bool
    ) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        if not body:
            return
        if self.flip and len(data) > 4096:
            data = data[:2048] + bytes([data[2048] ^ 1]) + data[2049:]
        for place in range(0, len(data), 65536):
            block = data[place : place + 65536]
            if self.stop_after is not None and self.served + len(block) > self.stop_after and len(data) > 4096:
                request.close_connection = True
                request.connection.close()
                return
            try:
                request.wfile.write(block)
            except OSError:
                return
            self.served += len(block)
            time.sleep(self.block_pause_s)


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
