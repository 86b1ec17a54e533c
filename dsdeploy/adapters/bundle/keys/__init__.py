"""Signing and checking: Ed25519 and ECDSA P-256 in PEM files, ECDSA P-256 on a PKCS#11 token, SM2 by OpenSSL."""

import os
from dataclasses import dataclass
from pathlib import Path

from dsdeploy.adapters.bundle.keys import pem, sm2
from dsdeploy.adapters.bundle.keys.base import ALGORITHMS, SM2, SigningKey, unusable
from dsdeploy.adapters.bundle.keys.base import PublicKey as PublicKey
from dsdeploy.adapters.bundle.keys.passphrase import Passphrase as Passphrase
from dsdeploy.adapters.bundle.keys.passphrase import is_encrypted
from dsdeploy.adapters.bundle.keys.passphrase import nobody as nobody
from dsdeploy.adapters.bundle.keys.passphrase import read_passphrase as read_passphrase
from dsdeploy.adapters.bundle.keys.token import SCHEME, TokenKey
from dsdeploy.core.bundle.names import PRIVATE_SUFFIX, PUBLIC_SUFFIX
from dsdeploy.core.bundle.signature import Envelope, Signature, to_be_signed
from dsdeploy.core.errors import BundleNotWritable, BundleUsage
from dsdeploy.core.texts import text


@dataclass(frozen=True, slots=True)
class Signer:
    """A signature's fate: `name` is None for a key that nobody here trusts, whose signature cannot be judged."""

    key_id: str
    name: str | None
    valid: bool


@dataclass(frozen=True, slots=True)
class KeyPair:
    """`private` is a file's path, or the URI of a key that stays in its token."""

    private: str
    public: str
    key_id: str


def generate_key(folder: Path, name: str, algorithm: str, passphrase: bytes | None = None) -> KeyPair:
    """A new private key (0600) and its public half in `folder`, and the key's id. Raises BundleNotWritable.

    With a passphrase the private key is encrypted. An existing file is never replaced.
    """
    if algorithm not in ALGORITHMS:
        raise BundleUsage(
            text("bundle-bad-algorithm", found=algorithm),
            hint=text("bundle-bad-algorithm-hint", known=", ".join(ALGORITHMS)),
        )
    private, public = folder / f"{name}{PRIVATE_SUFFIX}", folder / f"{name}{PUBLIC_SUFFIX}"
    secret, shown, id = sm2.generate(private, passphrase) if algorithm == SM2 else pem.generate(algorithm, passphrase)
    for path, content, mode in ((private, secret, 0o600), (public, shown, 0o644)):
        _write_new(path, content, mode)
    return KeyPair(str(private), str(public), id)


def export_public(place: str, folder: Path, name: str, passphrase: Passphrase = nobody) -> KeyPair:
    """The public half of a key that exists, as a file. Raises KeyUnusable, BundleNotWritable."""
    public = load_private(place, passphrase).public
    path = folder / f"{name}{PUBLIC_SUFFIX}"
    _write_new(path, public.pem, 0o644)
    return KeyPair(place, str(path), public.key_id)


def load_private(place: str, passphrase: Passphrase = nobody) -> SigningKey:
    """A PEM file's path, or a `pkcs11:` URI; `passphrase` is asked when the file is encrypted. Raises KeyUnusable."""
    if place.startswith(SCHEME):
        return TokenKey(place)
    path = Path(place)
    content = _read(path)
    secret = passphrase(path) if is_encrypted(content) else None
    if sm2.is_sm2(path, private=True, passphrase=secret):
        return sm2.OpensslKey(path, secret)
    return pem.FileKey(path, content, secret)


def load_public(path: Path) -> PublicKey:
    """Raises KeyUnusable."""
    content = _read(path)
    return sm2.load(path, content) if sm2.is_sm2(path, private=False) else pem.load(path, content)


def sign(payload: bytes, keys: tuple[SigningKey, ...]) -> Envelope:
    """One signature a key."""
    message = to_be_signed(payload)
    return Envelope(payload, tuple(Signature(one.public.key_id, one.sign(message)) for one in keys))


def check(envelope: Envelope, trusted: tuple[PublicKey, ...]) -> tuple[Signer, ...]:
    """What each signature is worth; nothing is raised."""
    message = to_be_signed(envelope.payload)
    known = {one.key_id: one for one in trusted}
    signers = []
    for signature in envelope.signatures:
        found = known.get(signature.key_id)
        scheme = sm2 if found is not None and found.algorithm == SM2 else pem
        valid = found is not None and scheme.verify(found, signature.value, message)
        signers.append(Signer(signature.key_id, None if found is None else found.name, valid))
    return tuple(signers)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise unusable(path, error) from error


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(file, "wb") as opened:
            opened.write(content)
    except OSError as error:
        raise BundleNotWritable(
            text("not-writable", path=error.filename or path, reason=error),
            hint=text("bundle-keygen-hint"),
        ) from error
