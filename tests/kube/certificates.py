"""A cluster's own certificate authority, for one test session."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = timedelta(days=1)


class Authority:
    """Issues certificates into `folder`: NAME.crt and NAME.key; its own is ca.crt."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        folder.mkdir(parents=True, exist_ok=True)
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dsdeploy-tests")])
        authority = x509.BasicConstraints(ca=True, path_length=None)
        self._write("ca", self._key, self._certificate(self._name, self._key, authority, (), _DAY))
        self.certificate = folder / "ca.crt"

    def issue(
        self, name: str, user: str, group: str = "", hosts: tuple[str, ...] = (), lasts: timedelta = _DAY
    ) -> tuple[Path, Path]:
        """The paths of a certificate of `user` in `group`, that also serves `hosts`, and of its key."""
        words = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
        words += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = x509.BasicConstraints(ca=False, path_length=None)
        self._write(name, key, self._certificate(x509.Name(words), key, leaf, hosts, lasts))
        return self.folder / f"{name}.crt", self.folder / f"{name}.key"

    def _certificate(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        constraints: x509.BasicConstraints,
        hosts: tuple[str, ...],
        lasts: timedelta,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 2 * _DAY)
            .not_valid_after(now + lasts)
            .add_extension(constraints, critical=True)
        )
        if not constraints.ca:
            uses = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
            builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        if hosts:
            names = x509.SubjectAlternativeName([_host(one) for one in hosts])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        (self.folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        path = self.folder / f"{name}.key"
        path.touch(mode=0o600)
        path.write_bytes(private)


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
