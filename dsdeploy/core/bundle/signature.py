"""A signature as data: DSSE envelope and in-toto statement, bytes in and out; no key is touched here.

DSSE v1 (secure-systems-lab/dsse, protocol.md) and in-toto Statement v1 (in-toto/attestation, spec/v1/statement.md).
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

from dsdeploy.core.texts import Malformed, text

PAYLOAD_TYPE = "application/vnd.in-toto+json"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "urn:dsdeploy:bundle:v1"


@dataclass(frozen=True, slots=True)
class Signature:
    """`key_id` is the SHA-256 of the public key's SubjectPublicKeyInfo in DER."""

    key_id: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    payload: bytes
    signatures: tuple[Signature, ...]


def to_be_signed(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def statement(digests: dict[str, str], name: str, sequence: int) -> bytes:
    subject = [{"digest": {"sha256": digest}, "name": path} for path, digest in digests.items()]
    predicate = {"name": name, "sequence": sequence}
    return _plain({"_type": _STATEMENT, "predicate": predicate, "predicateType": _PREDICATE, "subject": subject})


def subjects(payload: bytes) -> dict[str, str]:
    """Name → SHA-256 of each subject. Raises ValueError: a parser's, or Malformed."""
    try:
        said = json.loads(payload)
        digests = {one["name"]: one["digest"]["sha256"] for one in said["subject"]}
        again = statement(digests, said["predicate"]["name"], said["predicate"]["sequence"])
    except (TypeError, KeyError, UnicodeDecodeError) as error:
        raise Malformed(text("reason-no-statement")) from error
    if again != payload:
        raise Malformed(text("reason-not-of-bundle"))
    return digests


def encode_envelope(envelope: Envelope) -> bytes:
    signatures = [{"keyid": one.key_id, "sig": base64.b64encode(one.value).decode()} for one in envelope.signatures]
    payload = base64.b64encode(envelope.payload).decode()
    return _plain({"payload": payload, "payloadType": PAYLOAD_TYPE, "signatures": signatures}) + b"\n"


def decode_envelope(content: bytes) -> Envelope:
    """What `encode_envelope` wrote and nothing else, so that no byte is free to change. Raises ValueError as well."""
    try:
        said = json.loads(content)
        signatures = tuple(Signature(one["keyid"], base64.b64decode(one["sig"])) for one in said["signatures"])
        envelope = Envelope(base64.b64decode(said["payload"]), signatures)
    except (TypeError, KeyError, UnicodeDecodeError) as error:
        raise Malformed(text("reason-no-envelope")) from error
    if encode_envelope(envelope) != content:
        raise Malformed(text("reason-other-envelope"))
    return envelope


def _plain(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
