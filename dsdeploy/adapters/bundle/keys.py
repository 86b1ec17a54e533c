"""Signing and checking with Ed25519 and ECDSA P-256 keys in PEM files."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsdeploy.core.bundle.names import PRIVATE_SUFFIX, PUBLIC_SUFFIX
from dsdeploy.core.bundle.signature import Envelope, Signature, to_be_signed
from dsdeploy.core.errors import BundleNotWritable, BundleUsage, KeyUnusable
from dsdeploy.core.texts import text

ALGORITHMS = ("ed25519", "ecdsa-p256")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """`name` is the file's stem: what people call this signer."""

    name: str
    key_id: str
    key: Any


@dataclass(frozen=True, slots=True)
class Signer:
    """A signature's fate: `name` is None for a key that nobody here trusts, whose signature cannot be judged."""

    key_id: str
    name: str | None
    valid: bool


@dataclass(frozen=True, slots=True)
class KeyPair:
    private: str
    public: str
    key_id: str


def generate_key(folder: Path, name: str, algorithm: str) -> KeyPair:
    """A new private key (0600) and its public half in `folder`, and the key's id. Raises BundleNotWritable.

    An existing file is never replaced.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if algorithm not in ALGORITHMS:
        raise BundleUsage(
            text("bundle-bad-algorithm", found=algorithm),
            hint=text("bundle-bad-algorithm-hint", known=", ".join(ALGORITHMS)),
        )
    key: Any = (
        ed25519.Ed25519PrivateKey.generate() if algorithm == "ed25519" else ec.generate_private_key(ec.SECP256R1())
    )
    private = folder / f"{name}{PRIVATE_SUFFIX}"
    public = folder / f"{name}{PUBLIC_SUFFIX}"
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    shown = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content, mode in ((private, secret, 0o600), (public, shown, 0o644)):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
            with os.fdopen(file, "wb") as opened:
                opened.write(content)
    except OSError as error:
        raise BundleNotWritable(
            text("not-writable", path=error.filename or folder, reason=error.strerror or error),
            hint=text("bundle-keygen-hint"),
        ) from error
    return KeyPair(str(private), str(public), _key_id(key.public_key()))


def load_private(path: Path) -> Any:
    """Raises KeyUnusable."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), None)
        _judge_kind(key.public_key())
        return key
    except OSError as error:
        reason = error.strerror or str(error)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        reason = str(error)
    raise KeyUnusable(text("unreadable", path=path, reason=reason), hint=text("bundle-key-hint"))


def load_public(path: Path) -> PublicKey:
    """Raises KeyUnusable."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(path.read_bytes())
        _judge_kind(key)
        return PublicKey(path.stem, _key_id(key), key)
    except OSError as error:
        reason = error.strerror or str(error)
    except (ValueError, UnsupportedAlgorithm) as error:
        reason = str(error)
    raise KeyUnusable(text("unreadable", path=path, reason=reason), hint=text("bundle-key-hint"))


def sign(payload: bytes, keys: tuple[Any, ...]) -> Envelope:
    """One signature a key. Both kinds are deterministic (RFC 8032, RFC 6979): same bytes, same signature."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    message = to_be_signed(payload)
    signatures = []
    for key in keys:
        if isinstance(key, ed25519.Ed25519PrivateKey):
            value = key.sign(message)
        else:
            value = key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        signatures.append(Signature(_key_id(key.public_key()), value))
    return Envelope(payload, tuple(signatures))


def check(envelope: Envelope, trusted: tuple[PublicKey, ...]) -> tuple[Signer, ...]:
    """What each signature is worth; nothing is raised."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    message = to_be_signed(envelope.payload)
    known = {one.key_id: one for one in trusted}
    signers = []
    for signature in envelope.signatures:
        found = known.get(signature.key_id)
        valid = found is not None
        try:
            if found is not None and isinstance(found.key, ed25519.Ed25519PublicKey):
                found.key.verify(signature.value, message)
            elif found is not None:
                found.key.verify(signature.value, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            valid = False
        signers.append(Signer(signature.key_id, None if found is None else found.name, valid))
    return tuple(signers)


def _judge_kind(key: Any) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if not isinstance(key, ed25519.Ed25519PublicKey) and not (
        isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    ):
        raise ValueError("neither an Ed25519 nor an ECDSA P-256 key")


def _key_id(key: Any) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
