"""What real libraries say of usual faults is told in Chinese, with their own words behind it; English stays theirs."""

import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from dsdeploy.core.library_words import library_message
from dsdeploy.core.texts import catalogue, text


def told(error: Exception) -> str:
    return text("unreadable", path="x", reason=error).render("zh")


def certificate(folder, *, days: int, name: str = "localhost"):
    """A self-signed one that is valid from three days before `days` to it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    end = datetime.now(UTC) + timedelta(days=days)
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(end - timedelta(days=3)).not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )  # fmt: skip
    path = folder / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return path


def refusal(path, *, trusted: bool) -> Exception:
    """What Python's ssl says of a server with this certificate that is asked for as localhost."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(path)
    asking = ssl.create_default_context(cafile=str(path) if trusted else None)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                serving.wrap_socket(listener.accept()[0], server_side=True).close()

        threading.Thread(target=serve, daemon=True).start()
        plain = socket.create_connection(listener.getsockname(), timeout=5)
        with plain, pytest.raises(ssl.SSLError) as caught:
            asking.wrap_socket(plain, server_hostname="localhost")
    return caught.value


@pytest.mark.parametrize(
    ("made", "trusted", "meaning"),
    [
        ({"days": -1}, True, "证书已过期"),
        ({"days": 5}, True, "证书尚未生效"),
        ({"days": 2, "name": "elsewhere"}, True, "证书与主机名不符"),
        ({"days": 2}, False, "证书为自签名，且未被信任"),
    ],
)
def test_what_tls_refuses(tmp_path, made, trusted, meaning):
    error = refusal(certificate(tmp_path, **made), trusted=trusted)
    assert meaning in told(error) and "certificate verify failed" in told(error)
    assert "证书" not in text("unreadable", path="x", reason=error).render("en")


def test_a_docker_that_is_away(tmp_path):
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("no docker program")
    words = (docker, "--host", f"unix://{tmp_path}/none.sock", "info")
    said = subprocess.run(words, capture_output=True, text=True, timeout=30).stderr.strip()
    assert "无法连接 Docker 守护进程" in text("compose-failed", reason=said).render("zh")


def test_a_wrong_password_of_openssl(tmp_path):
    key = tmp_path / "key"
    make = ("openssl", "genpkey", "-algorithm", "ed25519", "-aes-256-cbc", "-pass", "pass:right", "-out", str(key))
    subprocess.run(make, check=True, capture_output=True, timeout=30)
    read = ("openssl", "pkey", "-in", str(key), "-passin", "pass:wrong", "-noout")
    said = subprocess.run(read, capture_output=True, text=True, timeout=30).stderr
    assert library_message(said) in ("library-password", "library-no-key")


@pytest.mark.parametrize(
    ("said", "id"),
    [
        ("x509: certificate has expired or is not yet valid: current time", "library-expired-or-early"),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "library-issuer"),
        ("x509: certificate is valid for kubernetes, not away", "library-host"),
        ("dial tcp 127.0.0.1:1: connect: connection refused", "library-refused"),
        ('Get "https://x": context deadline exceeded', "library-timeout"),
        ("driver failed programming external connectivity: port is already allocated", "library-port-taken"),
        ('could not select device driver "nvidia" with capabilities: [[gpu]]', "library-no-runtime"),
        ('pods "x" is forbidden: exceeded quota: small', "library-quota"),
        ('context "away" does not exist', "library-no-context"),
        ("CKR_PIN_INCORRECT", "library-pin"),
        ("the moon is made of cheese", None),
    ],
)
def test_words_as_programs_write_them(said, id):
    assert library_message(said) == id
    assert id is None or catalogue()[id]["zh"]
