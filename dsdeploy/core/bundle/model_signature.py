"""OpenSSF Model Signing: a Sigstore bundle that `model_signing verify key` reads, over the files of one model.

https://github.com/ossf/model-signing-spec, and model-signing 1.1's own output. ECDSA P-256 keys only.
"""

import base64
import hashlib
import json

from dsdeploy.core.bundle.names import MODEL_SIGNATURE
from dsdeploy.core.bundle.signature import PAYLOAD_TYPE
from dsdeploy.core.bundle.values import Bundle, BundleModel
from dsdeploy.core.layout import WEIGHTS_FILE

_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PREDICATE = "https://model_signing/signature/v1.0"
# What lies beside a model's files at a site and was not its publisher's.
IGNORED = (MODEL_SIGNATURE, "verified.json", WEIGHTS_FILE)


def model_statement(bundle: Bundle, model: BundleModel) -> bytes:
    """The in-toto statement to be signed; its subject is the digest of all files' digests in order of name."""
    digests = {file.path: file.sha256 for file in bundle.files}
    folder = f"weights/{model.model_id}/{model.format}/"
    files = {path.removeprefix(folder): digests[path] for path in sorted(model.files)}
    whole = hashlib.sha256(b"".join(bytes.fromhex(one) for one in files.values())).hexdigest()
    resources = [{"algorithm": "sha256", "digest": digest, "name": name} for name, digest in files.items()]
    serialization = {"allow_symlinks": False, "hash_type": "sha256", "ignore_paths": list(IGNORED), "method": "files"}
    document = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": model.format, "digest": {"sha256": whole}}],
        "predicateType": _PREDICATE,
        "predicate": {"serialization": serialization, "resources": resources},
    }
    return json.dumps(document, sort_keys=True).encode()


def model_signature(statement: bytes, signature: bytes, public_pem: bytes) -> str:
    """The file `model.sig`. The hint names the key by the SHA-256 of its PEM, as the tool does."""
    document = {
        "mediaType": _BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": hashlib.sha256(public_pem).hexdigest()}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(statement).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n"
