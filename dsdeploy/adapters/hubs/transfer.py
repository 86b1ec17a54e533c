"""Files over HTTP in parallel ranges; what is on disk is noted, so that a kill costs a few pieces and never a file."""

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dsdeploy.adapters.files import write_at
from dsdeploy.core.errors import DsdeployError, HubRefused, HubUnreachable, WeightsNotFound
from dsdeploy.core.progress import Progress
from dsdeploy.core.texts import text

_PIECE_BYTES = 8 * 2**20  # what a kill costs at most on each connection
_RANGE_BYTES = 64 * 2**20  # one request; hubs count them
_CONNECTIONS = 4
_BLOCK_BYTES = 2**20
_TIMEOUT_S = (15, 60)  # to connect; between two blocks
_ATTEMPTS = 3  # in a row without one piece more
_BUSY = (408, 429, 500, 502, 503, 504)
DONE = ".done"


class Transfer:
    """One hub's address. Proxies come from HTTPS_PROXY and NO_PROXY; `ca_file` holds a private authority's PEM.

    Neither a token nor a cookie follows a redirect to another host.
    """

    def __init__(self, endpoint: str, headers: dict[str, str], ca_file: Path | None) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.place = re.sub(r"//[^/@]*@", "//", self.endpoint)  # to be shown: without a name and password
        self._headers = {**headers, "Accept-Encoding": "identity"}
        # given with each request: REQUESTS_CA_BUNDLE would win over a session's
        self._asking: dict[str, Any] = {"timeout": _TIMEOUT_S} | ({"verify": str(ca_file)} if ca_file else {})
        self._cookies: dict[str, str] = {}
        self._local = threading.local()

    def get_json(self, path: str, repo: str) -> Any:
        """Raises HubRefused, HubUnreachable, WeightsNotFound."""
        with self._named_errors(repo):
            return self._retried(lambda: self._get(path, None).json())

    def sign_in(self, path: str, body: dict[str, str], repo: str) -> Any:
        """Posts `body`, keeps the cookies of the answer and returns its JSON. Raises like `get_json`."""
        with self._named_errors(repo):
            answer = self._session().post(self.endpoint + path, json=body, **self._asking)
            answer.raise_for_status()
            self._cookies = answer.cookies.get_dict()
            return answer.json()

    def fetch(self, path: str, repo: str, size_bytes: int, destination: Path, progress: Progress) -> None:
        """Fills `destination`; `<destination>.done` lists the pieces that are in it. Raises like it, and OSError."""
        notes = destination.with_name(destination.name + DONE)
        with _Pieces(destination, notes, size_bytes, progress) as pieces, self._named_errors(repo):
            runs = list(pieces.runs())
            try:
                if runs:
                    self._fetch_run(path, *runs[0], pieces)
                with ThreadPoolExecutor(_CONNECTIONS) as pool:
                    tasks = [pool.submit(self._fetch_run, path, begin, end, pieces) for begin, end in runs[1:]]
                    try:
                        for task in tasks:
                            task.result()
                    except BaseException:
                        pieces.stopped = True
                        pool.shutdown(cancel_futures=True)
                        raise
            except _WholeOnly:
                self._retried(lambda: self._fetch_whole(path, pieces))
        notes.unlink(missing_ok=True)

    def _fetch_run(self, path: str, begin: int, end: int, pieces: "_Pieces") -> None:
        at = begin

        def go_on() -> None:
            nonlocal at
            with self._get(path, f"bytes={at}-{end - 1}") as answer:
                if answer.status_code == 200:
                    raise _WholeOnly
                if not answer.headers.get("Content-Range", "").startswith(f"bytes {at}-"):
                    raise ConnectionError(f"not the range from byte {at}")
                for block in answer.iter_content(_BLOCK_BYTES):
                    if pieces.stopped:
                        raise _Stopped
                    block = block[: end - at]
                    pieces.write(at, block)
                    at += len(block)
            if at < end:
                raise ConnectionError(f"ends at byte {at}")

        self._retried(go_on, lambda: at)

    def _fetch_whole(self, path: str, pieces: "_Pieces") -> None:
        """From a server that knows no ranges: in one stream, from the start."""
        pieces.restart()
        with self._get(path, None) as answer:
            at = 0
            for block in answer.iter_content(_BLOCK_BYTES):
                pieces.write(at, block)
                at += len(block)

    def _get(self, path: str, wanted: str | None) -> Any:
        headers = {"Range": wanted} if wanted else {}
        answer = self._session().get(self.endpoint + path, headers=headers, stream=True, **self._asking)
        answer.raise_for_status()
        return answer

    def _session(self) -> Any:
        """One for each thread: a session is not made for several."""
        import requests

        if not hasattr(self._local, "session"):
            session = requests.Session()
            session.headers.update(self._headers)
            session.cookies.update(self._cookies)
            self._local.session = session
        return self._local.session

    def _retried(self, act: Callable[[], Any], progressed: Callable[[], int] = lambda: 0) -> Any:
        """Again after a broken connection or a busy hub, as long as each attempt brings something."""
        import requests

        failures, reached = 0, progressed()
        while True:
            try:
                return act()
            except (requests.RequestException, ConnectionError) as error:
                answer = getattr(error, "response", None)
                hopeless = isinstance(error, requests.exceptions.SSLError)
                if hopeless or (answer is not None and answer.status_code not in _BUSY):
                    raise
                failures = 1 if progressed() > reached else failures + 1
                reached = progressed()
                if failures >= _ATTEMPTS:
                    raise
                asked = answer.headers.get("Retry-After", "") if answer is not None else ""
                time.sleep(min(60, int(asked)) if asked.isdecimal() else 2 ** (failures - 1))

    @contextmanager
    def _named_errors(self, repo: str) -> Iterator[None]:
        import requests

        try:
            yield
        except DsdeployError:
            raise
        except requests.HTTPError as error:
            raise refused(self.place, repo, error.response.status_code) from error
        except (requests.RequestException, ConnectionError, ValueError) as error:
            raise unreachable(self.place, error) from error


def refused(endpoint: str, repo: str, status: int) -> DsdeployError:
    """What a hub's refusal means: WeightsNotFound or HubRefused."""
    if status in (404, 410):
        return WeightsNotFound(text("not-at-hub", repo=repo, endpoint=endpoint), hint=text("not-at-hub-hint"))
    hint = text("hub-refused-access-hint") if status in (401, 403) else text("hub-refused-hint")
    return HubRefused(text("hub-refused", endpoint=endpoint, repo=repo, status=status), hint=hint)


def unreachable(endpoint: str, error: Exception) -> HubUnreachable:
    return HubUnreachable(text("hub-unreachable", endpoint=endpoint, reason=error), hint=text("hub-unreachable-hint"))


class _WholeOnly(Exception):
    """The server answers a range with the whole."""


class _Stopped(Exception):
    """Another connection failed for good."""


class _Pieces:
    """The file under way, and which of its pieces are on disk. Each byte is written by one thread."""

    def __init__(self, path: Path, notes: Path, size_bytes: int, progress: Progress) -> None:
        self._size_bytes = size_bytes
        self._progress = progress
        self._count = -(-size_bytes // _PIECE_BYTES)
        self._notes_path = notes
        fresh = not path.exists()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        self._notes = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        if fresh:
            os.ftruncate(self._notes, 0)
        self._done = {int(one) for one in notes.read_text().split() if one.isdecimal() and int(one) < self._count}
        self._lock = threading.Lock()
        self.stopped = False
        progress.advance(sum(self._bytes_of(piece) for piece in self._done))

    def __enter__(self) -> "_Pieces":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
        os.close(self._notes)

    def runs(self) -> Iterator[tuple[int, int]]:
        """Begin and end of what is missing, a request each; the first is short, as it shows what the server can do."""
        most, piece = 1, 0
        while piece < self._count:
            end = piece
            while end < self._count and end not in self._done and end - piece < most:
                end += 1
            if end > piece:
                yield piece * _PIECE_BYTES, min(end * _PIECE_BYTES, self._size_bytes)
                most = _RANGE_BYTES // _PIECE_BYTES
            piece = max(end, piece + 1)

    def write(self, at_bytes: int, block: bytes) -> None:
        """`block` follows what this thread wrote last; a piece that is full is made durable, then noted."""
        write_at(self._file, block, at_bytes)
        end = at_bytes + len(block)
        with self._lock:
            self._progress.advance(len(block))
        last = self._count if end == self._size_bytes else end // _PIECE_BYTES
        full = range(at_bytes // _PIECE_BYTES, last)
        if full:
            os.fdatasync(self._file)
            os.write(self._notes, "".join(f"{piece}\n" for piece in full).encode())

    def restart(self) -> None:
        os.ftruncate(self._notes, 0)
        os.ftruncate(self._file, 0)

    def _bytes_of(self, piece: int) -> int:
        return min(_PIECE_BYTES, self._size_bytes - piece * _PIECE_BYTES)
