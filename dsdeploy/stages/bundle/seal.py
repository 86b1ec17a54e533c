"""Closes a bundle whose volumes are written: the texts beside them, the root, and as the very last the signature."""

import hashlib
import os
from importlib.resources import files as resources
from pathlib import Path

import dsdeploy
from dsdeploy.adapters.bundle import keys
from dsdeploy.adapters.bundle.keys.base import ECDSA_P256, SigningKey
from dsdeploy.core.bundle import names, sums
from dsdeploy.core.bundle.model_signature import model_signature, model_statement
from dsdeploy.core.bundle.notice import notice
from dsdeploy.core.bundle.sbom import sbom
from dsdeploy.core.bundle.signature import encode_envelope, statement, to_be_signed
from dsdeploy.core.bundle.values import Bundle, encode


def seal(out: Path, bundle: Bundle, signing: tuple[SigningKey, ...]) -> tuple[str, tuple[str, ...]]:
    """Writes the texts, the root and, as the very last, the signature; without keys there is none."""
    script = resources("dsdeploy.core.data").joinpath("verify.sh").read_text(encoding="utf-8")
    texts = {
        names.ROOT: encode(bundle).decode(),
        names.EXTENT_SUMS: sums.extent_sums(bundle),
        names.FILE_SUMS: sums.file_sums(bundle),
        names.SM3_SUMS: sums.sm3_sums(bundle),
        names.SBOM: sbom(bundle, dsdeploy.__version__),
        names.NOTICE: notice(bundle),
        names.VERIFY_SCRIPT: script,
    }
    texts = {name: content for name, content in texts.items() if content or name != names.SM3_SUMS}
    texts |= _model_signatures(bundle, signing)
    digests = {name: hashlib.sha256(content.encode()).hexdigest() for name, content in texts.items()}
    for name, content in texts.items():
        _put(out / name, content)
    envelope = keys.sign(statement(digests, bundle.name, bundle.sequence), signing)
    if signing:
        _put(out / names.SIGNATURE, encode_envelope(envelope).decode())
    return digests[names.ROOT], tuple(one.key_id for one in envelope.signatures)


def _model_signatures(bundle: Bundle, signing: tuple[SigningKey, ...]) -> dict[str, str]:
    """A signature of each model by the first key that OpenSSF's format knows; without such a key there is none."""
    key = next((one for one in signing if one.public.algorithm == ECDSA_P256), None)
    if key is None:
        return {}
    signed = {}
    for model in bundle.models:
        said = model_statement(bundle, model)
        name = names.model_signature_name(model.model_id, model.format)
        signed[name] = model_signature(said, key.sign(to_be_signed(said)), key.public.pem)
    return signed


def _put(path: Path, content: str) -> None:
    """Whole or not at all, by way of a name that a build that goes on takes again: nothing may be left beside."""
    beside = path.with_name(path.name + names.PARTIAL)
    with beside.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        os.fsync(file.fileno())
    beside.replace(path)
