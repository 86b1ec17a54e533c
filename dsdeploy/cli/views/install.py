"""Releases, as tables: what was done, what runs."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from dsdeploy.cli.views.table import COMMAND, Table
from dsdeploy.core.errors import ReleaseUnreadable
from dsdeploy.core.layout import AUTHORITY_FILE, KEYS_FILE, PLAN_FILE, cluster_hosts, cluster_service
from dsdeploy.core.texts import Text, text
from dsdeploy.core.values import Installed, Operation, Release, RenderedFiles, Status

_LOCAL = "https://127.0.0.1:8443"

_STATES = {
    "running": text("state-running"),
    "starting": text("state-starting"),
    "restarting": text("state-restarting"),
    "stopped": text("state-stopped"),
    "failed": text("state-failed"),
    "unknown": text("unknown"),
}


def installed_rows(installed: Installed, language: str) -> Table:
    outcome = "outcome-changed" if installed.changed else "outcome-unchanged"
    if installed.operations and not installed.changed:
        return _rows(language, ("outcome", "outcome-planned"), steps=installed.operations)
    release = installed.release
    keys = Path(release.folder) / KEYS_FILE
    url, forward = _ways_in(release)
    authority = Path(release.folder) / AUTHORITY_FILE
    trust = f"--cacert {authority} " if authority.exists() else ""
    hello = text("try-it-words").render(language)
    words = (  # curl reads the key from its standard input: an argument could be seen by every user of the machine
        f"sed '1!d;s/^/Authorization: Bearer /' {keys} | curl -H @- {trust}"
        f'{_LOCAL if forward else url}/v1/chat/completions -H "Content-Type: application/json" -d '
        f'\'{{"messages": [{{"role": "user", "content": "{hello}"}}], "max_tokens": 64}}\''
    )
    head, rows = _rows(language, ("outcome", outcome))
    for id, value in (
        ("release", f"{release.name} (#{release.revision})"),
        ("model", f"{release.model_id} {release.format}"),
        ("target", release.target),
        ("address", f"{url}/v1"),
        ("key-file", str(keys)),
        *((("open-way", COMMAND + forward),) if forward else ()),
        ("try-it", COMMAND + words),
    ):
        rows.append((text(id).render(language), value))
    for finding in installed.preflight:
        if finding.status == "warn":
            rows.append((text("warning").render(language), finding.message.render(language)))
    return head, rows


def removed_rows(removed: Installed, language: str) -> Table:
    if not removed.changed:
        return _rows(language, ("outcome", "outcome-planned"), steps=removed.operations)
    said = text("outcome-removed", path=removed.release.weights.directory).render(language)
    head, _ = _rows(language, ("outcome", "outcome-planned"))
    return head, [(text("outcome").render(language), said)]


def rendered_rows(rendered: RenderedFiles, language: str) -> Table:
    head = (text("field").render(language), text("value").render(language))
    return head, [(rendered.target, one.path) for one in rendered.files]


def status_rows(statuses: tuple[Status, ...], language: str) -> Table:
    """One part for each release; what does not run says where to look next."""
    if not statuses:
        return (text("state").render(language),), [(text("status-nothing").render(language),)]
    rows: list[tuple[str, ...]] = []
    for one in statuses:
        release = one.release
        told = (
            ("state", "\n".join(words.render(language) for words in _standing(one))),
            ("model", f"{release.model_id} {release.format}"),
            ("address", f"{_ways_in(release)[0]}/v1"),
        )
        rows += [
            (f"{release.name} (#{release.revision}, {release.target})",),
            *((text(id).render(language), value) for id, value in told),
            *((words.render(language), COMMAND + command) for words, command in _next(one)),
        ]
    return (text("field").render(language), text("value").render(language)), rows


def _ways_in(release: Release) -> tuple[str, str]:
    """The service's address for its clients, and where this machine is none of them, the command that opens a way."""
    if release.target != "kubernetes":
        return release.url, ""
    from dsdeploy.adapters.targets.kubernetes.place import find_place

    try:
        place = find_place(release)
    except ReleaseUnreadable:
        place = None
    if place is None or place.context is None or place.namespace is None:
        return release.url, ""
    where = f"--context {shlex.quote(place.context)} --namespace {place.namespace}"
    forward = f"kubectl {where} port-forward service/{cluster_service(release.name)} {_LOCAL.rpartition(':')[2]}:https"
    return f"https://{cluster_hosts(release.name, place.namespace)[0]}", forward


def _standing(status: Status) -> Iterator[Text]:
    """The service's state, and what was begun with it and is not done."""
    release, service = status.release, status.service
    yield _STATES[service.state]
    if service.restarts:
        yield text("status-restarts", count=service.restarts)
    if release.state != "installed":
        yield text("status-begun", state=release.state)
    if release.state in ("upgrading", "rolling-back"):
        yield text("status-begun-hint")
    elif status.fault:
        yield status.fault


def _next(status: Status) -> Iterator[tuple[Text, str]]:
    """What to do about a service that does not run, each with its command."""
    release = status.release
    if release.state in ("upgrading", "rolling-back"):
        yield text("status-go-back"), f"dsdeploy rollback {release.name}"
    elif not status.fault and status.service.state != "running":
        yield text("status-log"), f"dsdeploy logs {release.name}"
        yield text("status-check"), f"dsdeploy check {release.name}"
        plan = shlex.quote(str(Path(release.folder) / PLAN_FILE))
        yield text("status-start"), f"dsdeploy install {plan} --name {release.name}"


def _rows(language: str, *ids: tuple[str, str], steps: tuple[Operation, ...] = ()) -> Table:
    head = (text("field").render(language), text("value").render(language))
    rows: list[tuple[str, ...]] = [(text(key).render(language), text(value).render(language)) for key, value in ids]
    for number, step in enumerate(steps, 1):
        rows.append((text("step", number=number).render(language), step.text.render(language)))
    return head, rows
