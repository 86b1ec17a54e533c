"""What a key promises, wherever it lies."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dsdeploy.core.errors import KeyUnusable
from dsdeploy.core.texts import text

ED25519, ECDSA_P256, SM2 = "ed25519", "ecdsa-p256", "sm2"
ALGORITHMS = (ED25519, ECDSA_P256, SM2)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """`name` is the file's stem: what people call this signer. `pem` is SubjectPublicKeyInfo."""

    name: str
    key_id: str
    algorithm: str
    pem: bytes


class SigningKey(Protocol):
    """`sign` gives Ed25519's 64 bytes, or the DER of an ECDSA or SM2 signature over SHA-256 or SM3 of the message."""

    public: PublicKey

    def sign(self, message: bytes) -> bytes: ...


def key_id(der: bytes) -> str:
    """SHA-256 of the public key's SubjectPublicKeyInfo in DER."""
    return hashlib.sha256(der).hexdigest()


def unusable(place: Path | str, reason: object) -> KeyUnusable:
    return KeyUnusable(text("unreadable", path=place, reason=reason), hint=text("bundle-key-hint"))
