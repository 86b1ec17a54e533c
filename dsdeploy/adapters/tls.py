"""Shakes hands with a TLS server and says what came of it; the certificate is looked at, not trusted."""

import socket
import ssl
import warnings
from dataclasses import dataclass
from datetime import datetime

_TIMEOUT_S = 5
_VERSIONS = {"TLSv1": ssl.TLSVersion.TLSv1, "TLSv1.1": ssl.TLSVersion.TLSv1_1, "TLSv1.2": ssl.TLSVersion.TLSv1_2}
ANY_SUITE = "ALL:@SECLEVEL=0"


@dataclass(frozen=True, slots=True)
class Handshake:
    version: str
    cipher: str
    not_before: datetime
    not_after: datetime


def handshake(host: str, port: int, only: str | None = None, suites: str = ANY_SUITE) -> Handshake:
    """By the best version both know, or by `only` one of `_VERSIONS`, then with `suites` in OpenSSL's words.

    Raises OSError, also where it is refused.
    """
    from cryptography.x509 import load_der_x509_certificate

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if only:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # an old version is asked for on purpose
            context.minimum_version = context.maximum_version = _VERSIONS[only]
        context.set_ciphers(suites)
    with socket.create_connection((host, port), _TIMEOUT_S) as plain, context.wrap_socket(plain) as secure:
        certificate = load_der_x509_certificate(secure.getpeercert(True) or b"")
        cipher = secure.cipher() or ("?", "", 0)
        return Handshake(
            secure.version() or "?", cipher[0], certificate.not_valid_before_utc, certificate.not_valid_after_utc
        )
