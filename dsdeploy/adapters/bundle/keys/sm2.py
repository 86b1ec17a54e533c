"""SM2 keys (GB/T 32918, signed over SM3 with the default identity of GB/T 35276) by way of the `openssl` program.

The `cryptography` library knows no SM2. OpenSSL 3 does where it was built with it.
"""

import base64
import re
import subprocess
import tempfile
from pathlib import Path

from dsdeploy.adapters.bundle.keys.base import SM2, PublicKey, key_id, unusable

_SIGNING = ("dgst", "-sm3", "-sigopt", "distid:1234567812345678")


class OpensslKey:
    """Raises KeyUnusable. A signature differs each time: SM2 takes a random number."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.public = load(path, _openssl(path, "pkey", "-in", str(path), "-pubout"))

    def sign(self, message: bytes) -> bytes:
        return _openssl(self._path, *_SIGNING, "-sign", str(self._path), given=message)


def is_sm2(path: Path, *, private: bool) -> bool:
    """Whether openssl reads this file as an SM2 key. False also where there is no openssl."""
    more = () if private else ("-pubin",)
    try:
        return b"SM2" in _openssl(path, "pkey", *more, "-in", str(path), "-noout", "-text")
    except Exception:  # whatever it is, it is no SM2 key that can be used here
        return False


def generate(path: Path) -> tuple[bytes, bytes, str]:
    """PEM of the private and of the public key, and its id. Raises KeyUnusable; `path` is for its message."""
    secret = _openssl(path, "genpkey", "-algorithm", "SM2")
    pem = _openssl(path, "pkey", "-pubout", given=secret)
    return secret, pem, _id(pem)


def load(path: Path, pem: bytes) -> PublicKey:
    return PublicKey(path.stem, _id(pem), SM2, pem)


def verify(public: PublicKey, signature: bytes, message: bytes) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        key, value, content = (Path(folder) / name for name in ("key", "signature", "message"))
        for path, what in ((key, public.pem), (value, signature), (content, message)):
            path.write_bytes(what)
        words = ["openssl", *_SIGNING, "-verify", str(key), "-signature", str(value), str(content)]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0


def _id(pem: bytes) -> str:
    body = re.sub(rb"-----[^-]+-----|\s", b"", pem)
    return key_id(base64.b64decode(body))


def _openssl(path: Path, *words: str, given: bytes | None = None) -> bytes:
    try:
        run = subprocess.run(["openssl", *words], input=given, capture_output=True, check=False)
    except OSError as error:
        raise unusable(path, error.strerror) from error
    if run.returncode:
        raise unusable(path, run.stderr.decode(errors="replace").strip().splitlines()[-1:] or run.returncode)
    return run.stdout
