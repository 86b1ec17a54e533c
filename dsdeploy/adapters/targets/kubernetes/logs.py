"""What the containers of a release's part say: of all its pods together and over their restarts, oldest line first."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import merge
from queue import SimpleQueue

from dsdeploy.adapters.targets.kubernetes.change import of_component
from dsdeploy.adapters.targets.kubernetes.connection import Cluster, Document
from dsdeploy.adapters.targets.kubernetes.explain import containers
from dsdeploy.core.errors import ClusterAway, ClusterRefused, InstallError

ENGINE, GATEWAY, VERIFY = "engine", "gateway", "verify"
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Source:
    """A container; `sign` goes before each of its lines. `again` is whether it was started more than once."""

    pod: str
    container: str
    sign: str
    again: bool


def tail(
    cluster: Cluster, pods: tuple[Document, ...], part: str, lines: int, since_s: int | None = None
) -> tuple[str, ...]:
    """The last lines; those of the run before a restart are among them, for there a crash has left its reason.

    Raises ClusterRefused, and ClusterAway where none can be heard. What has not begun says nothing.
    """
    away: list[ClusterAway] = []
    many = (_dated(cluster, one, lines, since_s, away) for one in _sources(pods, part))
    told = tuple(line for _, line in merge(*many, key=lambda one: one[0]))
    if away and not told:
        raise away[0]
    return told[-lines:]


def follow(
    cluster: Cluster, pods: tuple[Document, ...], part: str, lines: int, since_s: int | None = None
) -> Iterator[str]:
    """The last lines of the runs that are on, then what comes, until each has ended. Raises ClusterRefused, and
    ClusterAway once all that could be heard have ended."""
    sources = _sources(pods, part)
    heard: SimpleQueue[str | InstallError | None] = SimpleQueue()
    for one in sources:
        threading.Thread(target=_hear, args=(cluster, one, lines, since_s, heard), daemon=True).start()
    left, away = len(sources), None
    while left:
        match heard.get():
            case None:
                left -= 1
            case ClusterAway() as error:
                away = error
            case ClusterRefused() as error:
                raise error
            case str(line):
                yield line
    if away:
        raise away


def _sources(pods: tuple[Document, ...], part: str) -> tuple[_Source, ...]:
    """Lines of one of several pods begin with its name; a gateway's are objects of JSON, and stay so."""
    those = of_component(pods, GATEWAY if part == GATEWAY else ENGINE)
    signed = len(those) > 1 and part != GATEWAY
    found = []
    for pod in those:
        name, kind = pod["metadata"]["name"], "initContainers" if part == VERIFY else "containers"
        for container in (pod["spec"].get(kind) or ())[:1]:
            count = sum(int(one.get("restartCount", 0)) for one in containers(pod) if one["name"] == container["name"])
            found.append(_Source(name, container["name"], f"{name} " if signed else "", count > 0))
    return tuple(found)


def _dated(
    cluster: Cluster, source: _Source, lines: int, since_s: int | None, away: list[ClusterAway]
) -> Iterator[tuple[datetime, str]]:
    """While a container waits to be started again, the API server takes the run before for the one that is on, too."""
    ended = _NEVER
    for previous in (True, False) if source.again else (False,):
        try:
            told = cluster.log(source.pod, source.container, lines, previous=previous, since_s=since_s, dated=True)
            at = ended
            for line in told:
                at, said = _moment(line, at)
                if previous or at > ended:
                    yield at, source.sign + said
            ended = at
        except ClusterRefused:
            raise
        except ClusterAway as error:  # a node that does not answer, too
            away.append(error)
        except InstallError:
            continue


def _moment(line: str, before: datetime) -> tuple[datetime, str]:
    word, _, said = line.partition(" ")
    try:
        return datetime.fromisoformat(word), said
    except ValueError:
        return before, line  # the kubelet's own words, of a log that it does not have


def _hear(
    cluster: Cluster, source: _Source, lines: int, since_s: int | None,
    heard: "SimpleQueue[str | InstallError | None]",
) -> None:  # fmt: skip
    try:
        for line in cluster.log(source.pod, source.container, lines, follow=True, since_s=since_s):
            heard.put(source.sign + line)
    except InstallError as error:
        heard.put(error)
    finally:
        heard.put(None)
