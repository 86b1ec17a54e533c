"""The script of `helm test` against a small TLS server: one that is closed as a gateway is, and ones that are not."""

import datetime
import http.server
import importlib.util
import json
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.chart.rendering import CHART

KEY = "sk-client"


class Gateway(http.server.BaseHTTPRequestHandler):
    fault = ""

    def log_message(self, *words):
        pass

    def answer(self, status, body=None):
        content = json.dumps(body or {}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = type(self).fault
        if self.path not in ("/v1/models", "/v1/chat/completions"):
            return self.answer(200 if fault == f"{self.path} is closed" else 404)
        if self.headers.get("Authorization") != f"Bearer {KEY}" and fault != "needs a key":
            return self.answer(401)
        if self.path == "/v1/models":
            return self.answer(200, {"data": [{"id": "other" if fault == "serves m" else "m"}]})
        choices = [] if fault == "answers" else [{"message": {"content": "1"}}]
        return self.answer(200, {"choices": choices, "usage": {"completion_tokens": 1}})

    do_POST = do_GET


def _certificate() -> tuple[bytes, bytes]:
    """A new self-signed certificate of another name than the server's, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "not-the-host")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
    plain = serialization.NoEncryption()
    return (
        made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain),
    )


@pytest.fixture
def infer(tmp_path, monkeypatch):
    """The script as a module, its places in this folder; gives the checks that failed."""
    for name, content in zip(("tls.crt", "tls.key"), _certificate(), strict=True):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "key").write_text(KEY + "\n")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {"GATEWAY": f"https://127.0.0.1:{server.server_port}", "ENGINE": "127.0.0.1:1", "MODEL": "m"}
    for one, value in {**environment, "WEIGHTS": str(tmp_path / "absent")}.items():
        monkeypatch.setenv(one, value)
    spec = importlib.util.spec_from_file_location("infer", CHART / "files" / "test" / "infer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setattr(module, "CERTIFICATE", str(tmp_path / "tls.crt"))
    monkeypatch.setattr(module.os, "getuid", lambda: 10001)
    monkeypatch.setattr(module, "OUTSIDE", ("127.0.0.1", 1))
    monkeypatch.setattr(Gateway, "fault", "")
    yield lambda: [name for name, passed in module.checks() if not passed], module, server
    server.shutdown()
    server.server_close()


def test_a_closed_service_that_answers_passes(infer):
    assert infer[0]() == []


@pytest.mark.parametrize(
    "fault", ["needs a key", "/metrics is closed", "/invocations is closed", "serves m", "answers"]
)
def test_each_fault_of_a_service_is_named(infer, monkeypatch, fault):
    monkeypatch.setattr(Gateway, "fault", fault)
    assert fault in infer[0]()


def test_each_open_way_of_a_pod_is_named(infer, monkeypatch, tmp_path):
    failed, module, server = infer
    monkeypatch.setattr(module, "OUTSIDE", ("127.0.0.1", server.server_port))
    monkeypatch.setattr(module, "ENGINE", f"127.0.0.1:{server.server_port}")
    monkeypatch.setattr(module, "WEIGHTS", str(tmp_path))
    monkeypatch.setattr(module.os, "getuid", lambda: 0)
    assert failed() == [
        "does not reach the outside",
        "does not reach the engine past the gateway",
        "is not root",
        "cannot write to the weights",
    ]


def test_another_certificate_is_not_trusted(infer, tmp_path):
    (tmp_path / "tls.crt").write_bytes(_certificate()[0])
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        infer[0]()
