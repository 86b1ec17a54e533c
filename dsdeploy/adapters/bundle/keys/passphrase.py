"""What opens an encrypted key: from a file, or from whoever sits at the terminal; never from an argument."""

from collections.abc import Callable
from pathlib import Path

from dsdeploy.core.errors import KeyUnusable
from dsdeploy.core.texts import text

# Asked once for each encrypted key, whose path it is given.
Passphrase = Callable[[Path], bytes]


def nobody(key: Path) -> bytes:
    """Raises KeyUnusable: nobody is there to ask."""
    raise KeyUnusable(text("bundle-key-encrypted", path=key), hint=text("bundle-key-encrypted-hint"))


def read_passphrase(file: Path) -> bytes:
    """The file's first line. Raises KeyUnusable, also for an empty one."""
    try:
        line = file.read_bytes().splitlines()[:1]
    except OSError as error:
        raise KeyUnusable(
            text("unreadable", path=file, reason=error), hint=text("bundle-key-encrypted-hint")
        ) from error
    if not line or not line[0]:
        raise KeyUnusable(text("bundle-passphrase-empty", path=file), hint=text("bundle-key-encrypted-hint"))
    return line[0]


def is_encrypted(pem: bytes) -> bool:
    """PKCS#8 says it in its first line, OpenSSL's older form in its second."""
    return any(b"ENCRYPTED" in line for line in pem.splitlines()[:2])
