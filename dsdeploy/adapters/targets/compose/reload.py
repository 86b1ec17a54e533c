"""Lets a running gateway take another certificate: new connections get it, running answers end with the old one."""

import contextlib
import signal
import ssl
import time
from pathlib import Path
from typing import Any

from dsdeploy.adapters.endpoint import endpoint_of
from dsdeploy.core.errors import CertificateUnusable, NoAnswer
from dsdeploy.core.layout import CERTIFICATE_FILE
from dsdeploy.core.texts import text
from dsdeploy.core.values import Release

_WAIT_S = 15
_LOOK_S = 0.2


def reload(gateway: Any, release: Release) -> None:
    """HAProxy's master starts a new worker and lets the old one end. Raises CertificateUnusable when it did not."""
    gateway.kill(signal.SIGUSR2.name)
    end = time.monotonic() + _WAIT_S
    while not in_force(release):
        if time.monotonic() > end:
            path = Path(release.folder) / CERTIFICATE_FILE
            reason = text("certificate-not-taken", seconds=_WAIT_S)
            message = text("certificate-unusable", path=path, reason=reason)
            raise CertificateUnusable(message, hint=text("certificate-unusable-hint"))
        time.sleep(_LOOK_S)


def in_force(release: Release) -> bool:
    """Whether the gateway shows the certificate that lies on disk; True where nothing can be seen."""
    path = Path(release.folder) / CERTIFICATE_FILE
    with contextlib.suppress(OSError, ValueError, NoAnswer):
        shown = ssl.get_server_certificate(endpoint_of(release).address, timeout=_WAIT_S)
        wanted = path.read_text(encoding="utf-8")
        return ssl.PEM_cert_to_DER_cert(shown) == ssl.PEM_cert_to_DER_cert(_first(wanted))
    return True


def _first(chain: str) -> str:
    end = "-----END CERTIFICATE-----"
    return chain[chain.index("-----BEGIN CERTIFICATE-----") : chain.index(end) + len(end)] + "\n"
