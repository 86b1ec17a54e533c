"""Releases, as tables: what was done, what runs."""

from pathlib import Path

from dsdeploy.cli.views.table import COMMAND, Table
from dsdeploy.core.layout import AUTHORITY_FILE, KEYS_FILE
from dsdeploy.core.texts import text
from dsdeploy.core.values import Installed, Operation, RenderedFiles, Status


def installed_rows(installed: Installed, language: str) -> Table:
    outcome = "outcome-changed" if installed.changed else "outcome-unchanged"
    if installed.operations and not installed.changed:
        return _rows(language, ("outcome", "outcome-planned"), steps=installed.operations)
    release = installed.release
    keys = Path(release.folder) / KEYS_FILE
    address = f"{release.url}/v1"
    authority = Path(release.folder) / AUTHORITY_FILE
    trust = f"--cacert {authority} " if authority.exists() else ""
    words = (
        f'curl {trust}{address}/chat/completions -H "Authorization: Bearer $(cat {keys})" '
        f'-H "Content-Type: application/json" -d '
        f'\'{{"messages": [{{"role": "user", "content": "你好"}}], "max_tokens": 64}}\''
    )
    head, rows = _rows(language, ("outcome", outcome))
    for id, value in (
        ("release", f"{release.name} (#{release.revision})"),
        ("model", f"{release.model_id} {release.format}"),
        ("target", release.target),
        ("address", address),
        ("key-file", str(keys)),
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
    head = tuple(text(id).render(language) for id in ("release", "model", "target", "address", "state", "restarts"))
    states = {
        "running": text("state-running"),
        "starting": text("state-starting"),
        "restarting": text("state-restarting"),
        "stopped": text("state-stopped"),
        "failed": text("state-failed"),
        "unknown": text("unknown"),
    }
    rows: list[tuple[str, ...]] = [
        (
            f"{one.release.name} (#{one.release.revision}{_unsettled(one.release.state)})",
            f"{one.release.model_id} {one.release.format}",
            one.release.target,
            one.release.url,
            f"{states[one.service.state].render(language)}{': ' + one.fault.render(language) if one.fault else ''}",
            str(one.service.restarts),
        )
        for one in statuses
    ]
    return head, rows or [(text("status-none").render(language),)]


def _unsettled(state: str) -> str:
    """The word of an operation that was begun and is not done, as `release.json` has it."""
    return "" if state == "installed" else f", {state}"


def _rows(language: str, *ids: tuple[str, str], steps: tuple[Operation, ...] = ()) -> Table:
    head = (text("field").render(language), text("value").render(language))
    rows: list[tuple[str, ...]] = [(text(key).render(language), text(value).render(language)) for key, value in ids]
    for number, step in enumerate(steps, 1):
        rows.append((text("step", number=number).render(language), step.text.render(language)))
    return head, rows
