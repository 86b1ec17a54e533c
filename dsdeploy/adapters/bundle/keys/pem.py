"""Ed25519 and ECDSA P-256 keys in PEM files."""

from pathlib import Path
from typing import Any

from dsdeploy.adapters.bundle.keys.base import ECDSA_P256, ED25519, PublicKey, key_id, unusable
from dsdeploy.core.texts import Malformed, Text, text


class FileKey:
    """Both kinds are deterministic (RFC 8032, RFC 6979): same bytes, same signature. Raises KeyUnusable."""

    def __init__(self, path: Path, content: bytes, passphrase: bytes | None) -> None:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            self._key: Any = load_pem_private_key(content, passphrase)
            self.public = public_key(path.stem, self._key.public_key())
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise unusable(path, _reason(error, "reason-no-private-key")) from error

    def sign(self, message: bytes) -> bytes:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        if self.public.algorithm == ED25519:
            return bytes(self._key.sign(message))
        return bytes(self._key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))


def generate(algorithm: str, passphrase: bytes | None) -> tuple[bytes, bytes, str]:
    """PEM of the private and of the public key, and its id."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    ours = algorithm == ED25519
    key: Any = ed25519.Ed25519PrivateKey.generate() if ours else ec.generate_private_key(ec.SECP256R1())
    sealed: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    )
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
    public = public_key("", key.public_key())
    return secret, public.pem, public.key_id


def load(path: Path, content: bytes) -> PublicKey:
    """Raises KeyUnusable."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        return public_key(path.stem, load_pem_public_key(content))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise unusable(path, _reason(error, "reason-no-public-key")) from error


def _reason(error: Exception, other: str) -> Text:
    return error.reason if isinstance(error, Malformed) else text(other)


def public_key(name: str, key: Any) -> PublicKey:
    """Raises ValueError for another kind of key."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if isinstance(key, ed25519.Ed25519PublicKey):
        algorithm = ED25519
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        algorithm = ECDSA_P256
    else:
        raise Malformed(text("reason-other-key"))
    der, pem = (key.public_bytes(one, PublicFormat.SubjectPublicKeyInfo) for one in (Encoding.DER, Encoding.PEM))
    return PublicKey(name, key_id(der), algorithm, pem)


def verify(public: PublicKey, signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key: Any = load_pem_public_key(public.pem)
    try:
        if public.algorithm == ED25519:
            key.verify(signature, message)
        else:
            key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
