"""Keys that never leave a smart card or an HSM: PKCS#11, named by a URI of RFC 7512.

    pkcs11:token=NAME;object=LABEL?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/run/pin

The PIN comes from `pin-source` or from DSDEPLOY_PKCS11_PIN, never from the URI. ECDSA P-256 alone.
"""

import hashlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from dsdeploy.adapters.bundle.keys.base import PublicKey, unusable
from dsdeploy.core.errors import KeyUnusable
from dsdeploy.core.texts import text

SCHEME = "pkcs11:"
_PIN = "DSDEPLOY_PKCS11_PIN"
_MODULE = "DSDEPLOY_PKCS11_MODULE"


class TokenKey:
    """Opened for each signature, as a token may be drawn in between. Raises KeyUnusable."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        path, _, query = uri.removeprefix(SCHEME).partition("?")
        self._wanted = {key: unquote(value) for key, _, value in (one.partition("=") for one in path.split(";"))}
        self._how = dict(parse_qsl(query))
        if "pin-value" in self._how:
            raise KeyUnusable(text("bundle-pin-in-uri"), hint=text("bundle-pin-hint", variable=_PIN))
        self.public: PublicKey = self._with_session(self._read_public)

    def sign(self, message: bytes) -> bytes:
        digest = hashlib.sha256(message).digest()
        signature: bytes = self._with_session(lambda session: self._sign(session, digest))
        return signature

    def _sign(self, session: Any, digest: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
        from pkcs11 import Mechanism, ObjectClass

        raw = session.get_key(ObjectClass.PRIVATE_KEY, **self._object()).sign(digest, mechanism=Mechanism.ECDSA)
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))

    def _read_public(self, session: Any) -> PublicKey:
        from cryptography.hazmat.primitives.serialization import load_der_public_key
        from pkcs11 import ObjectClass
        from pkcs11.util.ec import encode_ec_public_key

        from dsdeploy.adapters.bundle.keys.pem import public_key

        found = session.get_key(ObjectClass.PUBLIC_KEY, **self._object())
        return public_key(self._wanted.get("object", ""), load_der_public_key(encode_ec_public_key(found)))

    def _object(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if "object" in self._wanted:
            found["label"] = self._wanted["object"]
        if "id" in self._wanted:
            found["id"] = self._wanted["id"].encode("latin-1")
        return found

    def _with_session(self, act: Any) -> Any:
        try:
            import pkcs11
        except ImportError as error:
            raise KeyUnusable(text("bundle-no-pkcs11"), hint=text("bundle-no-pkcs11-hint")) from error
        module = self._how.get("module-path") or os.environ.get(_MODULE)
        if module is None:
            raise KeyUnusable(text("bundle-no-module"), hint=text("bundle-no-module-hint", variable=_MODULE))
        try:
            token = pkcs11.lib(module).get_token(token_label=self._wanted.get("token"))
            with token.open(user_pin=self._pin()) as session:
                return act(session)
        except (pkcs11.PKCS11Error, ValueError, OSError) as error:
            raise unusable(self._uri, str(error) or type(error).__name__) from error

    def _pin(self) -> str | None:
        source = self._how.get("pin-source")
        if source is not None:
            return Path(source.removeprefix("file:")).read_text(encoding="utf-8").strip()
        return os.environ.get(_PIN)
