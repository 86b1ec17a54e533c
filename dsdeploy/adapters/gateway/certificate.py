"""The gateway's certificate: the site's own, examined before anything starts, or one made here."""

import ipaddress
import json
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from dsdeploy.adapters.gateway.keys import private, write_owned
from dsdeploy.core.errors import (
    CertificateExpired,
    CertificateUnusable,
    CertificateWrongHost,
    CertificateWrongKey,
)
from dsdeploy.core.layout import (
    AUTHORITY_FILE,
    AUTHORITY_KEY_FILE,
    CERTIFICATE_FILE,
    CERTIFICATE_KEY_FILE,
    PLACE_FILE,
    cluster_hosts,
)
from dsdeploy.core.texts import text
from dsdeploy.core.values import Release

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, CertificateBuilder, GeneralName, Name

_EVERYWHERE = ("0.0.0.0", "::")
_DAYS = 397  # what browsers still take: CA/Browser Forum, Baseline Requirements 6.3.2, before its shorter limits
_AUTHORITY_DAYS = 3650
_RENEW_DAYS = 30


def examine(certificate: Path, key: Path, host: str, at: datetime | None = None) -> datetime:
    """When it ends. Raises CertificateUnusable, CertificateExpired, CertificateWrongHost, CertificateWrongKey,
    SecretsOpen, KeysUnreadable. An address that means every interface is not compared."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    private(key)
    found = _load(certificate)
    try:
        own = load_pem_private_key(key.read_bytes(), None).public_key()
    except (OSError, ValueError, TypeError) as error:
        reason = error if isinstance(error, OSError) else text("reason-no-private-key")
        message = text("certificate-key-unusable", path=key, reason=reason)
        raise CertificateUnusable(message, hint=text("certificate-unusable-hint")) from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if own.public_bytes(*form) != found.public_key().public_bytes(*form):
        message = text("certificate-wrong-key", certificate=certificate, key=key)
        raise CertificateWrongKey(message, hint=text("certificate-wrong-key-hint"))
    began, ends, now = found.not_valid_before_utc, found.not_valid_after_utc, at or datetime.now(UTC)
    if not began <= now <= ends:
        message = text("certificate-expired", path=certificate, began=f"{began:%F}", ends=f"{ends:%F}")
        raise CertificateExpired(message, hint=text("certificate-expired-hint"))
    names = _names(found)
    if host not in _EVERYWHERE and not any(_covers(one, host) for one in names):
        message = text("certificate-wrong-host", path=certificate, host=host, names=", ".join(names) or "-")
        raise CertificateWrongHost(message, hint=text("certificate-wrong-host-hint", host=host))
    return ends


def due(release: Release) -> bool:
    """Whether a certificate must be made: none is there, or ours ends soon or is for another host."""
    folder = Path(release.folder)
    certificate, key = folder / CERTIFICATE_FILE, folder / CERTIFICATE_KEY_FILE
    if not certificate.exists() or not key.exists():
        return True
    if not (folder / AUTHORITY_KEY_FILE).exists():
        return False  # the site's own: `examine` says what is wrong with it, nobody replaces it
    try:
        return examine(certificate, key, release.host) < datetime.now(UTC) + timedelta(days=_RENEW_DAYS)
    except CertificateUnusable:
        return True


def _in_cluster(release: Release) -> tuple[str, ...]:
    try:
        place = json.loads((Path(release.folder) / PLACE_FILE).read_text(encoding="utf-8"))
        return cluster_hosts(release.name, place["namespace"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def make(release: Release) -> None:
    """One for the release's host and this machine's names, in a cluster its Service's, signed by the release's
    authority. Raises OSError."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    folder = Path(release.folder)
    authority, signer = _authority(release)
    own = ec.generate_private_key(ec.SECP256R1())
    names = dict.fromkeys((release.host, "localhost", "127.0.0.1", "::1", socket.gethostname(), *_in_cluster(release)))
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    alternatives = x509.SubjectAlternativeName([_general(one) for one in names if one not in _EVERYWHERE])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    made = (
        _builder(_name(f"dsdeploy {release.name}"), authority.subject, _DAYS, own)
        .add_extension(alternatives, critical=False)
        .add_extension(usage, critical=False)
        .add_extension(issuer, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    _write(folder / CERTIFICATE_KEY_FILE, _pem_key(own))
    _write(folder / CERTIFICATE_FILE, _pem(_sign(made, signer)))


@dataclass(frozen=True, slots=True)
class Given:
    """A site's own: PEM files, the certificate with its chain, and whom clients here trust where that is known."""

    certificate: Path
    key: Path
    authority: Path | None = None


def taken(release: Release, given: Given) -> bool:
    """Whether `given` is what the release has already. Raises as `examine`."""
    examine(given.certificate, given.key, release.host)
    path = Path(release.folder) / CERTIFICATE_FILE
    return path.exists() and path.read_bytes() == given.certificate.read_bytes()


def take(release: Release, given: Given) -> None:
    """For the release's gateway, in the place of whatever it has. Raises as `examine`, OSError."""
    examine(given.certificate, given.key, release.host)
    folder = Path(release.folder)
    for ours in (AUTHORITY_FILE, AUTHORITY_KEY_FILE):
        (folder / ours).unlink(missing_ok=True)
    if given.authority is not None:
        _load(given.authority)
        _write(folder / AUTHORITY_FILE, given.authority.read_text(encoding="utf-8"))
    _write(folder / CERTIFICATE_KEY_FILE, given.key.read_text(encoding="utf-8"))
    _write(folder / CERTIFICATE_FILE, given.certificate.read_text(encoding="utf-8"))


def _authority(release: Release) -> "tuple[Certificate, EllipticCurvePrivateKey]":
    """Kept beside the release, out of every container: clients trust it once, whatever certificate follows."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    path, key_path = Path(release.folder) / AUTHORITY_FILE, Path(release.folder) / AUTHORITY_KEY_FILE
    if path.exists() and key_path.exists():
        key = load_pem_private_key(key_path.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return _load(path), key
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"dsdeploy {release.name} authority")
    signs = x509.BasicConstraints(ca=True, path_length=0)
    certificate = _sign(_builder(name, name, _AUTHORITY_DAYS, key).add_extension(signs, critical=True), key)
    _write(key_path, _pem_key(key))
    _write(path, _pem(certificate))
    return certificate, key


def _name(words: str) -> "Name":
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, words[:64])])  # X.520's upper bound


def _builder(subject: "Name", issuer: "Name", days: int, key: "EllipticCurvePrivateKey") -> "CertificateBuilder":
    from cryptography import x509

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _sign(builder: "CertificateBuilder", key: "EllipticCurvePrivateKey") -> "Certificate":
    from cryptography.hazmat.primitives.hashes import SHA256

    return builder.sign(key, SHA256())


def _load(path: Path) -> "Certificate":
    from cryptography.x509 import load_pem_x509_certificate

    try:
        return load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = error if isinstance(error, OSError) else text("reason-no-certificate")
        message = text("certificate-unusable", path=path, reason=reason)
        raise CertificateUnusable(message, hint=text("certificate-unusable-hint")) from error


def _names(certificate: "Certificate") -> tuple[str, ...]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()  # a common name alone is taken by no client any more: RFC 9525, section 2
    addresses = (str(one) for one in found.get_values_for_type(x509.IPAddress))
    return (*found.get_values_for_type(x509.DNSName), *addresses)


def _covers(name: str, host: str) -> bool:
    if name.startswith("*."):
        return host.partition(".")[2].lower() == name[2:].lower()
    return name.lower() == host.lower()


def _general(name: str) -> "GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: "Certificate") -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode()


def _pem_key(key: "EllipticCurvePrivateKey") -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_owned(path, content)
