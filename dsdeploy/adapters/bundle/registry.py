"""Images into a registry: streamed from the archive, a chunk a request, going on where an upload was cut off.

OCI Distribution 1.1, "pushing a blob in chunks":
https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md.
"""

import base64
import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from dsdeploy.adapters.bundle.image_archive import ImageArchive, Layer
from dsdeploy.adapters.files import write_whole
from dsdeploy.core.errors import RegistryRefused, RegistryUnreachable
from dsdeploy.core.progress import Progress
from dsdeploy.core.texts import text

_CHUNK_BYTES = 64 * 2**20
_ATTEMPTS = 4
_TIMEOUT_S = (15, 300)
_BUSY = (408, 429, 500, 502, 503, 504)
# Harbor's users lose uploads of layers beyond this: https://github.com/goharbor/harbor/issues/15719, 19573.
LARGE_LAYER_BYTES = 10 * 10**9


@dataclass(frozen=True, slots=True)
class Pushed:
    """`pinned` is the reference by digest that the registry gave it; `large_layers` may be too much for a Harbor."""

    reference: str
    pinned: str
    sent_bytes: int
    large_layers: tuple[str, ...]


class Registry:
    """`place` is HOST[:PORT][/PREFIX]; plain HTTP is spoken to this machine alone. Credentials come from Docker's
    configuration (`docker login`), never from a flag. `state` is a folder that remembers uploads under way.
    """

    def __init__(self, place: str, state: Path, ca_file: Path | None = None) -> None:
        self._host, _, self._prefix = place.partition("/")
        local = re.fullmatch(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?", self._host)
        self._base = f"{'http' if local else 'https'}://{self._host}"
        self._state = state
        self._asking: dict[str, Any] = {"timeout": _TIMEOUT_S} | ({"verify": str(ca_file)} if ca_file else {})
        self._token: str | None = None
        self._kept: Any = None

    def push(self, archive: ImageArchive, reference: str, progress: Progress) -> Pushed:
        """One of the archive's references. Raises RegistryRefused, RegistryUnreachable, OSError."""
        repository, tag = self._name(reference)
        progress.begin(text("image-pushing", image=reference, registry=self._host), _size(archive))
        sent = 0
        with archive.path.open("rb") as file:
            for layer in archive.layers:
                sent += self._push_layer(repository, file.fileno(), layer, progress)
        self._push_config(repository, archive)
        progress.end()
        address = f"{self._base}/v2/{repository}/manifests/{tag}"
        self._ask("PUT", address, archive.manifest, {"Content-Type": archive.manifest_type})
        digest = hashlib.sha256(archive.manifest).hexdigest()
        large = tuple(one.digest for one in archive.layers if one.size_bytes > LARGE_LAYER_BYTES)
        named = f"{self._host}/{repository}"
        return Pushed(f"{named}:{tag}", f"{named}@sha256:{digest}", sent, large)

    def _name(self, reference: str) -> tuple[str, str]:
        """The repository here and the tag; the registry that a reference names itself is left away."""
        name, _, tag = reference.rpartition(":") if ":" in reference.rsplit("/", 1)[-1] else (reference, "", "latest")
        first, _, rest = name.partition("/")
        name = rest if rest and ("." in first or ":" in first or first == "localhost") else name
        return (f"{self._prefix}/{name}" if self._prefix else name), tag

    def _push_layer(self, repository: str, file: int, layer: Layer, progress: Progress) -> int:
        if self._has(repository, layer.digest):
            progress.advance(layer.size_bytes)
            return 0
        note = self._state / f"{layer.digest.removeprefix('sha256:')}-{_short(self._host + repository)}"
        place, at = self._begin(repository, note)
        progress.advance(at)
        begun = at
        while at < layer.size_bytes:
            size = min(_CHUNK_BYTES, layer.size_bytes - at)
            place, reached = self._send(place, file, layer, at, size)
            progress.advance(reached - at)
            at = reached
            write_whole(note, json.dumps({"place": place}))
        self._finish(place, layer.digest)
        note.unlink(missing_ok=True)
        return layer.size_bytes - begun

    def _begin(self, repository: str, note: Path) -> tuple[str, int]:
        """Where to send to and from which byte on: an upload that was cut off, else a new one."""
        if note.exists():
            place = json.loads(note.read_text())["place"]
            answer = self._ask("GET", place, fail=False)
            if answer.status_code == 204:
                return urljoin(place, answer.headers.get("Location") or place), _reached(answer)
            note.unlink()
        self._state.mkdir(parents=True, exist_ok=True)
        answer = self._ask("POST", f"{self._base}/v2/{repository}/blobs/uploads/", b"")
        return urljoin(self._base, answer.headers["Location"]), 0

    def _send(self, place: str, file: int, layer: Layer, at: int, size: int) -> tuple[str, int]:
        """One chunk; after a broken connection the registry says how much of it arrived."""
        headers = {"Content-Type": "application/octet-stream", "Content-Range": f"{at}-{at + size - 1}"}
        for attempt in range(_ATTEMPTS):
            body = _Slice(file, layer.at_bytes + at, size)
            try:
                answer = self._ask("PATCH", place, body, headers, again=lambda: _Slice(file, layer.at_bytes + at, size))
                return urljoin(place, answer.headers["Location"]), at + size
            except RegistryUnreachable:
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(2**attempt)
                found = self._ask("GET", place, fail=False)
                if found.status_code == 204 and (reached := _reached(found)) > at:
                    return urljoin(place, found.headers.get("Location") or place), reached
        raise AssertionError

    def _push_config(self, repository: str, archive: ImageArchive) -> None:
        digest = f"sha256:{archive.image_id}"
        if not self._has(repository, digest):
            answer = self._ask("POST", f"{self._base}/v2/{repository}/blobs/uploads/", b"")
            place = urljoin(self._base, answer.headers["Location"])
            self._finish(place, digest, archive.config)

    def _finish(self, place: str, digest: str, content: bytes = b"") -> None:
        joint = "&" if "?" in place else "?"
        headers = {"Content-Type": "application/octet-stream"}
        self._ask("PUT", f"{place}{joint}digest={digest}", content, headers)

    def _has(self, repository: str, digest: str) -> bool:
        found: bool = self._ask("HEAD", f"{self._base}/v2/{repository}/blobs/{digest}", fail=False).status_code == 200
        return found

    def _ask(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        *,
        fail: bool = True,
        again: Callable[[], Any] | None = None,
    ) -> Any:
        """An answer below 400; with `fail` off any that is not a refusal of access. `again` makes a spent body anew."""
        import requests

        if self._kept is None:
            self._kept = requests.Session()
            self._kept.trust_env = False  # a proxy or .netrc of the way out has no business inside a site
        try:
            answer = self._request(method, url, body, headers)
            if answer.status_code == 401 and self._sign_in(answer.headers.get("WWW-Authenticate", "")):
                answer = self._request(method, url, again() if again else body, headers)
        except (requests.RequestException, ConnectionError) as error:
            raise self._unreachable(error) from error
        if answer.status_code in _BUSY:
            raise self._unreachable(f"HTTP {answer.status_code}")
        if answer.status_code in (401, 403) or (fail and answer.status_code >= 400):
            said = " ".join(answer.text.split())[:200]
            message = text("registry-refused", registry=self._host, status=answer.status_code, reason=said or "-")
            raise RegistryRefused(message, hint=text("registry-refused-hint"))
        return answer

    def _request(self, method: str, url: str, body: Any, headers: dict[str, str] | None) -> Any:
        signed = {"Authorization": self._token} if self._token and url.startswith(self._base + "/") else {}
        more = {**self._asking, "allow_redirects": method in ("GET", "HEAD")}
        return self._kept.request(method, url, data=body, headers={**signed, **(headers or {})}, **more)

    def _sign_in(self, challenge: str) -> bool:
        """Answers a Basic or a Bearer challenge with what `docker login` kept. False when there is nothing to say."""
        basic = _credentials(self._host)
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic" and basic and self._token is None:
            self._token = f"Basic {basic}"
            return True
        if scheme.lower() != "bearer":
            return False
        asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        realm = asked.pop("realm", "")
        asked.pop("error", None)
        headers = {"Authorization": f"Basic {basic}"} if basic else {}
        answer = self._kept.get(realm, params=asked, headers=headers, **self._asking)
        if answer.status_code != 200:
            return False
        said = answer.json()
        self._token = f"Bearer {said.get('token') or said.get('access_token')}"
        return True

    def _unreachable(self, reason: object) -> RegistryUnreachable:
        message = text("registry-unreachable", registry=self._host, reason=reason)
        return RegistryUnreachable(message, hint=text("registry-unreachable-hint"))


class _Slice:
    """A run of a file's bytes as a request's body of known length, never whole in memory."""

    def __init__(self, file: int, at_bytes: int, size_bytes: int) -> None:
        self._file, self._at, self._left = file, at_bytes, size_bytes

    def __len__(self) -> int:
        return self._left

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        block = os.pread(self._file, wanted, self._at)
        self._at, self._left = self._at + len(block), self._left - len(block)
        return block


def _credentials(host: str) -> str | None:
    folder = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
    try:
        kept = json.loads((Path(folder) / "config.json").read_text())["auths"][host]["auth"]
        base64.b64decode(kept, validate=True)
        return str(kept)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _reached(answer: Any) -> int:
    """`Range: 0-N` says that N + 1 bytes are there; an upload without any says 0-0."""
    end = int(answer.headers.get("Range", "0-0").rpartition("-")[2])
    return end + 1 if end else 0


def _size(archive: ImageArchive) -> int:
    return sum(one.size_bytes for one in archive.layers)


def _short(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:12]
