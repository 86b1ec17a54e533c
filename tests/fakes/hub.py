"""A model hub on loopback: no real one can be reached where tests run.

It speaks as Hugging Face's (metadata with LFS digests and Git ids, ranged GET) and as ModelScope's (login, list, get;
`nameless` states no digests at a commit; a refusal is HTTP 200 with a `Code`, as its client's `raise_on_error` tells).
Its behaviour can be broken on purpose: refuse with a status, stop in the middle, flip a byte, be slow, know no ranges,
send files from another host. Asked by an absolute address it is a proxy that finds itself.
"""

import hashlib
import json
import re
import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

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
    branch: str = "master"
    elsewhere: str | None = None
    nameless: bool = False
    ranged: bool = True
    certificate: Path | None = None
    served: int = 0
    most_at_once: int = 0
    at_once: int = 0
    authorized: list[str | None] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)

    def __enter__(self) -> "FakeHub":
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *words: Any) -> None:
                pass

            def do_HEAD(self) -> None:
                hub.answer(self, body=False)

            def do_GET(self) -> None:
                hub.at_once += 1
                hub.most_at_once = max(hub.most_at_once, hub.at_once)
                try:
                    hub.answer(self, body=True)
                finally:
                    hub.at_once -= 1

            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if said != {"AccessToken": hub.token}:
                    refusal = {"Code": 401, "Data": None, "Message": "wrong token", "Success": False}
                    return hub._send(self, 200, {}, json.dumps(refusal).encode(), True)
                welcome = {"Code": 200, "Data": {"AccessToken": "git", "Username": "u"}, "Success": True}
                cookie = {"Set-Cookie": "m_session_id=signed-in; Path=/"}
                hub._send(self, 200, cookie, json.dumps(welcome).encode(), True)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http{'s' if self.certificate else ''}://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, request: BaseHTTPRequestHandler, body: bool) -> None:
        given = request.headers.get("Authorization")
        self.authorized.append(given)
        signed_in = "m_session_id=signed-in" in request.headers.get("Cookie", "")
        refused = self.token and given != f"Bearer {self.token}" and not signed_in
        if self.status != 200 or refused:
            return self._send(request, 401 if refused else self.status, {}, b'{"error": "refused"}', body)
        path = re.sub("^http://[^/]*", "", request.path.partition("?")[0])
        if path.startswith(f"/api/models/{self.repo}"):
            content = {"id": self.repo, "sha": COMMIT, "siblings": [_sibling(*one) for one in self.files.items()]}
            return self._send(request, 200, {"Content-Type": "application/json"}, json.dumps(content).encode(), body)
        query = dict(parse_qsl(request.path.partition("?")[2]))
        if path == f"/api/v1/models/{self.repo}/repo/files":
            return self._list_as_modelscope(request, query["Revision"], body)
        name = path.partition(f"/resolve/{COMMIT}/")[2]
        if path == f"/api/v1/models/{self.repo}/repo" and query["Revision"] in (self.branch, "master"):
            name = query["FilePath"]
        if name not in self.files:
            return self._send(request, 404, {"X-Error-Code": "EntryNotFound"}, b"", body)
        if self.elsewhere:
            return self._send(request, 302, {"Location": self.elsewhere + request.path}, b"", body)
        data, begin, status, headers = self.files[name], 0, 200, {}
        if self.ranged and (asked := re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))):
            self.ranges.append(asked[0])
            begin, end, status = int(asked[1]), int(asked[2] or len(data) - 1), 206
            headers["Content-Range"] = f"bytes {begin}-{end}/{len(data)}"
            data = data[begin : end + 1]
        self._send(request, status, headers, data, body)

    def _list_as_modelscope(self, request: BaseHTTPRequestHandler, revision: str, body: bool) -> None:
        if revision not in (self.branch, *(("master",) if self.nameless else ())):
            content: dict[str, Any] = {"Code": 404, "Data": None, "Message": "no such revision", "Success": False}
            return self._send(request, 200, {}, json.dumps(content).encode(), body)
        files: list[dict[str, Any]] = [{"Path": "sub", "Size": 0, "Type": "tree"}]
        for name, data in self.files.items():
            sha256 = None if self.nameless and revision != "master" else _sha(data)
            files.append({"Path": name, "Size": len(data), "Sha256": sha256, "Type": "blob"})
        content = {"Code": 200, "Data": {"Files": files}, "Success": True}
        self._send(request, 200, {}, json.dumps(content).encode(), body)

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


def _sibling(name: str, data: bytes) -> dict[str, Any]:
    """As huggingface.co answers: Git LFS for tensors, the Git blob's id for the rest."""
    if name.endswith((".gguf", ".safetensors", ".bin")):
        return {
            "rfilename": name,
            "size": len(data),
            "lfs": {"sha256": _sha(data), "size": len(data), "pointerSize": 134},
        }
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    return {"rfilename": name, "size": len(data), "blobId": blob}


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
