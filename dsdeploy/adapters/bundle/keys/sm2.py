"""SM2 keys (GB/T 32918, signed over SM3 with the default identity of GB/T 35276) by way of the `openssl` program.

The `cryptography` library knows no SM2. OpenSSL 3 does where it was built with it.
"""

import base64
import os
import re
import subprocess
import tempfile
from pathlib import Path

from dsdeploy.adapters.bundle.keys.base import SM2, PublicKey, key_id, unusable

_SIGNING = ("dgst", "-sm3", "-sigopt", "distid:1234567812345678")


class OpensslKey:
    """Raises KeyUnusable. A signature differs each time: SM2 takes a random number."""

    def __init__(self, path: Path, passphrase: bytes | None) -> None:
        self._path, self._passphrase = path, passphrase
        self.public = load(path, _openssl(path, "pkey", "-in", str(path), "-pubout", passphrase=passphrase))

    def sign(self, message: bytes) -> bytes:
        words = (*_SIGNING, "-sign", str(self._path))
        return _openssl(self._path, *words, given=message, passphrase=self._passphrase)


def is_sm2(path: Path, *, private: bool, passphrase: bytes | None = None) -> bool:
    """Whether openssl reads this file as an SM2 key. False also where there is no openssl."""
    more = () if private else ("-pubin",)
    try:
        return b"SM2" in _openssl(path, "pkey", *more, "-in", str(path), "-noout", "-text", passphrase=passphrase)
    except Exception:  # whatever it is, it is no SM2 key that can be used here
        return False


def generate(path: Path, passphrase: bytes | None) -> tuple[bytes, bytes, str]:
    """PEM of the private and of the public key, and its id. Raises KeyUnusable; `path` is for its message."""
    secret = _openssl(path, "genpkey", "-algorithm", "SM2")
    pem = _openssl(path, "pkey", "-pubout", given=secret)
    if passphrase:
        words = ("pkcs8", "-topk8", "-v2", "aes-256-cbc")
        secret = _openssl(path, *words, given=secret, passphrase=passphrase, as_new=True)
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


def _openssl(
    path: Path, *words: str, given: bytes | None = None, passphrase: bytes | None = None, as_new: bool = False
) -> bytes:
    """The passphrase goes through a pipe of its own, where no list of processes shows it."""
    reading, writing = os.pipe()
    try:
        os.write(writing, (passphrase or b"") + b"\n")
        os.close(writing)
        asked = ("-passout" if as_new else "-passin", f"fd:{reading}") if passphrase is not None else ()
        command = ["openssl", *words[:1], *asked, *words[1:]]
        run = subprocess.run(command, input=given, capture_output=True, check=False, pass_fds=(reading,))
    except OSError as error:
        raise unusable(path, error) from error
    finally:
        os.close(reading)
    if run.returncode:
        raise unusable(path, run.stderr.decode(errors="replace").strip().splitlines()[-1:] or run.returncode)
    return run.stdout
