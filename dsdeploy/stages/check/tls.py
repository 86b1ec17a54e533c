"""Is the way to the door encrypted, as strictly as today's rules ask, and for how long is its certificate good?"""

from datetime import UTC, datetime

from dsdeploy.adapters.tls import ANY_SUITE, Handshake, handshake
from dsdeploy.core.texts import text
from dsdeploy.stages.check.subject import Outcome, Subject, failed, passed, skipped, warned

# NIST SP 800-52 Rev. 2, sections 3.1 and 3.3.1: TLS 1.2 and 1.3; of their suites those with AEAD.
_MODERN, _OLD = ("TLSv1.2", "TLSv1.3"), ("TLSv1", "TLSv1.1")
_AEAD = ("GCM", "CCM", "CHACHA20")
_WEAK = "ALL:!AESGCM:!AESCCM:!AESCCM8:!CHACHA20:!ARIAGCM:@SECLEVEL=0"  # every suite that is none with AEAD
_DAYS_LEFT = 30
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def encrypted(subject: Subject) -> Outcome:
    release = subject.release
    if subject.endpoint.away is not None:
        return skipped(subject.endpoint.away.message)
    if subject.endpoint.tls is not None:
        return passed(text("check-encrypted"), measured="https", limit="https")
    if release.host in _LOOPBACK:
        return skipped(text("check-loopback-plain"))
    return warned(text("check-plain"), text("check-plain-hint"), measured="http", limit="https")


def modern(subject: Subject) -> Outcome:
    """What is negotiated, and that old versions and weak suites are refused though nothing better is offered."""
    found = _greeted(subject)
    if isinstance(found, Outcome):
        return found
    old = [version for version in _OLD if _speaks(subject, version)]
    measured, limit = f"{found.version} {found.cipher}", " / ".join(_MODERN)
    if old:
        message = text("check-tls-old", versions=", ".join(old))
        return failed(message, text("check-tls-hint"), measured=", ".join((found.version, *old)), limit=limit)
    if found.version not in _MODERN or not any(word in found.cipher for word in _AEAD):
        return failed(text("check-tls-weak"), text("check-tls-hint"), measured=measured, limit=limit)
    if (weak := _speaks(subject, "TLSv1.2", _WEAK)) is not None:
        message = text("check-tls-suites", suite=weak.cipher)
        return warned(message, text("check-tls-hint"), measured=measured, limit=limit)
    return passed(text("check-tls-modern"), measured=measured, limit=limit)


def certificate_good(subject: Subject) -> Outcome:
    found = _greeted(subject)
    if isinstance(found, Outcome):
        return found
    now = datetime.now(UTC)
    days = (found.not_after - now).days
    measured, limit = f"{days} d", f"≥ {_DAYS_LEFT} d"
    if now < found.not_before or now > found.not_after:
        return failed(text("check-certificate-dead"), text("check-certificate-hint"), measured=measured, limit=limit)
    if days < _DAYS_LEFT:
        return warned(text("check-certificate-ends"), text("check-certificate-hint"), measured=measured, limit=limit)
    return passed(text("check-certificate", until=f"{found.not_after:%Y-%m-%d}"), measured=measured, limit=limit)


def _greeted(subject: Subject) -> Handshake | Outcome:
    """The handshake that the service agrees to, or why there is none to look at."""
    if subject.endpoint.away is not None:
        return skipped(subject.endpoint.away.message)
    if subject.endpoint.tls is None:
        return skipped(text("check-no-tls"))
    try:
        return handshake(*subject.endpoint.address)
    except OSError as error:
        return skipped(text("check-no-handshake", reason=error))


def _speaks(subject: Subject, version: str, suites: str = ANY_SUITE) -> Handshake | None:
    try:
        return handshake(*subject.endpoint.address, version, suites)
    except OSError:
        return None
