"""Opens a bundle: signature first, then the root's own sanity, then what lies on the media. Nothing is written."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dsdeploy.adapters.bundle import keys, media
from dsdeploy.core.bundle import names
from dsdeploy.core.bundle.safety import judge
from dsdeploy.core.bundle.signature import Envelope, decode_envelope, subjects
from dsdeploy.core.bundle.values import Bundle, Inventory, decode, decode_base
from dsdeploy.core.errors import BundleAltered, BundleUnsafe, SignatureInvalid, SignatureMissing, SignerUnknown
from dsdeploy.core.texts import text


@dataclass(frozen=True, slots=True)
class Opened:
    """`texts` are the root, its signature and what else was signed, by name."""

    bundle: Bundle
    texts: dict[str, bytes]
    root_sha256: str
    signers: tuple[keys.Signer, ...]
    volumes: dict[str, Path]
    unsigned: bool


def open_bundle(
    folders: tuple[Path, ...], trusted: tuple[keys.PublicKey, ...], allow_unsigned: bool, heads: tuple[Path, ...] = ()
) -> Opened:
    """`heads` are folders that hold a root when none of the media does: those of loads begun earlier.

    Raises SignatureMissing, SignatureInvalid, SignerUnknown, BundleAltered, BundleUnsafe, BundleMissing.
    """
    heads = folders if any((one / names.ROOT).exists() for one in folders) or not heads else heads
    head = media.read_head(heads)
    root_sha256 = hashlib.sha256(head.root).hexdigest()
    signers: tuple[keys.Signer, ...] = ()
    texts = {names.ROOT: head.root}
    if head.signature is not None:
        texts[names.SIGNATURE] = head.signature
        envelope, digests = read_envelope(head.signature)
        signers = keys.check(envelope, trusted)
        _judge_signers(signers, allow_unsigned)
        texts |= _judge_texts(tuple(dict.fromkeys((*heads, *folders))), digests, root_sha256)
    elif not allow_unsigned:
        raise SignatureMissing(text("signature-missing", name=names.SIGNATURE), hint=text("signature-missing-hint"))
    bundle = read_root(head.root)
    judge_root(bundle)
    unsigned = not any(one.valid for one in signers)
    return Opened(bundle, texts, root_sha256, signers, media.find_volumes(folders, bundle), unsigned)


def read_root(content: bytes) -> Bundle:
    """Raises BundleUnsafe."""
    try:
        return decode(content)
    except (ValueError, RecursionError) as error:
        raise _unsafe(error) from error


def read_base(content: bytes) -> Bundle | Inventory:
    """Raises BundleUnsafe."""
    try:
        return decode_base(content)
    except (ValueError, RecursionError) as error:
        raise _unsafe(error) from error


def judge_root(bundle: Bundle) -> None:
    """Raises BundleUnsafe."""
    try:
        judge(bundle)
    except ValueError as error:
        raise _unsafe(error) from error


def trusted_keys(files: tuple[Path, ...], home: Path) -> tuple[keys.PublicKey, ...]:
    """Those named, and those that lie in HOME/trust. Raises KeyUnusable."""
    kept = sorted((home / names.TRUST).glob("*" + names.PUBLIC_SUFFIX))
    return tuple(keys.load_public(path) for path in (*files, *kept))


def read_envelope(content: bytes) -> tuple[Envelope, dict[str, str]]:
    """The envelope, and name → SHA-256 of what it speaks of. Raises SignatureInvalid."""
    try:
        envelope = decode_envelope(content)
        return envelope, subjects(envelope.payload)
    except (ValueError, RecursionError) as error:
        raise SignatureInvalid(
            text("signature-invalid", name=names.SIGNATURE, reason=error), hint=text("signature-invalid-hint")
        ) from error


def _judge_signers(signers: tuple[keys.Signer, ...], allow_unsigned: bool) -> None:
    false = [one for one in signers if one.name is not None and not one.valid]
    if false:
        reason = f"{false[0].name} ({false[0].key_id[:16]})"
        raise SignatureInvalid(
            text("signature-invalid", name=names.SIGNATURE, reason=reason), hint=text("signature-invalid-hint")
        )
    if not any(one.valid for one in signers) and not allow_unsigned:
        found = ", ".join(one.key_id[:16] for one in signers) or "-"
        raise SignerUnknown(text("signer-unknown", found=found), hint=text("signer-unknown-hint"))


def _judge_texts(folders: tuple[Path, ...], digests: dict[str, str], root_sha256: str) -> dict[str, bytes]:
    """Every text that the statement names; each must lie in one folder at least and be as signed wherever it lies."""
    if digests.get(names.ROOT) != root_sha256:
        raise _altered(names.ROOT)
    texts: dict[str, bytes] = {}
    if any(not names.TEXT_NAME.fullmatch(name) for name in digests):
        raise _altered(names.SIGNATURE)
    for path in (folder / name for folder in folders for name in {*names.SIGNED_TEXTS, *digests}):
        if path.exists() or path.is_symlink():
            content = media.read_text(path)
            if digests.get(path.name) != hashlib.sha256(content).hexdigest():
                raise _altered(path)
            texts[path.name] = content
    for name in digests:
        if name not in texts:
            raise _altered(name)
    return texts


def _altered(name: object) -> BundleAltered:
    return BundleAltered(text("bundle-text-altered", name=name), hint=text("bundle-altered-hint"))


def _unsafe(error: Exception) -> BundleUnsafe:
    return BundleUnsafe(text("bundle-unsafe", reason=error), hint=text("bundle-unsafe-hint"))
