"""Bundles, as tables."""

from pathlib import Path
from typing import Any

from dsdeploy.adapters.bundle.keys import KeyPair, Signer
from dsdeploy.cli.views.table import Table, when
from dsdeploy.core.bundle.values import Inventory
from dsdeploy.core.sizes import size_words
from dsdeploy.core.texts import Text, text
from dsdeploy.stages.bundle.create import Created
from dsdeploy.stages.bundle.inspect import Difference, Inspected, Signers
from dsdeploy.stages.bundle.load import Loaded
from dsdeploy.stages.bundle.recut import Recut
from dsdeploy.stages.bundle.verify import Verified
from dsdeploy.stages.bundle.versions import Log, Pruned, Switched

Rows = list[tuple[str, ...]]
_EVENTS = {
    "bundle-loaded": "event-loaded",
    "bundle-refused": "event-refused",
    "images-delivered": "event-delivered",
    "bundle-pruned": "event-pruned",
    "bundle-rolled-back": "event-rolled-back",
}


def key_rows(pair: KeyPair, language: str) -> Table:
    def say(id: str) -> str:
        return text(id).render(language)

    rows: Rows = [
        (say("bundle-row-private"), pair.private),
        (say("bundle-row-public"), pair.public),
        (say("bundle-row-key-id"), pair.key_id),
    ]
    return _head(language), rows


def created_rows(made: Created, language: str) -> Table:
    rows = _told(made, language)
    unsigned = text("bundle-unsigned").render(language)
    rows += [(text("bundle-row-signer").render(language), key_id[:16]) for key_id in made.signers or (unsigned,)]
    rows.append((text("bundle-row-volumes").render(language), f"{made.volumes:,}"))
    rows.append((text("bundle-row-folder").render(language), made.folder))
    return _head(language), rows


def recut_rows(made: Recut, language: str) -> Table:
    rows = [*_told(made, language), (text("bundle-row-volumes").render(language), f"{made.volumes:,}")]
    return _head(language), [*rows, (text("bundle-row-folder").render(language), made.folder)]


def verified_rows(verified: Verified, language: str) -> Table:
    return _head(language), [*_told(verified, language), *_signed(verified.signers, language)]


def loaded_rows(loaded: Loaded, language: str) -> Table:
    def say(id: str) -> str:
        return text(id).render(language)

    rows: Rows = [*_told(loaded, language), *_signed(loaded.signers, language), (say("bundle-row-plan"), loaded.plan)]
    rows += [(say("bundle-row-image"), image) for image in loaded.images]
    rows += [(one.reference, one.pinned) for one in loaded.delivered]
    for digest in (digest for one in loaded.delivered for digest in one.large_layers):
        rows.append((say("warning"), text("bundle-large-layer", digest=digest).render(language)))
    rows += [(say("bundle-row-aside"), path) for path in loaded.set_aside]
    if loaded.previous:
        rows.append((say("bundle-row-previous"), loaded.previous))
    if loaded.rolled_back:
        rows.append((say("bundle-row-rolled-back"), loaded.folder))
    return _head(language), rows


def inspected_rows(found: Inspected, language: str) -> Table:
    def say(id: str) -> str:
        return text(id).render(language)

    rows: Rows = [
        *_told(found, language),
        (say("bundle-row-created"), found.created),
        (say("bundle-row-volumes"), f"{found.volumes:,}"),
        (say("bundle-row-files"), f"{found.files:,}"),
    ]
    if found.base:
        rows.append((say("bundle-row-base"), f"{found.base.name} {found.base.sequence}"))
    rows += [(say("bundle-row-model"), f"{one.model_id} {one.format}") for one in found.models]
    rows += [(say("bundle-row-image"), ", ".join(one.references) or one.path) for one in found.images]
    return _head(language), [*rows, *_signed(found.signers, language)]


def signer_rows(found: Signers, language: str) -> Table:
    rows: Rows = [(text("bundle-row-root").render(language), found.root_sha256)]
    return _head(language), [*rows, *_signed(found.signers, language)]


def difference_rows(found: Difference, language: str) -> Table:
    def say(id: str) -> str:
        return text(id).render(language)

    rows: Rows = [(say("bundle-row-added"), path) for path in found.added]
    rows += [(say("bundle-row-removed"), path) for path in found.removed]
    rows += [(say("bundle-row-changed"), path) for path in found.changed]
    return _head(language), [*rows, (say("bundle-row-same"), f"{found.same:,}")]


def inventory_rows(found: Inventory, file: Path, language: str) -> Table:
    size = sum(one.size_bytes for one in found.blobs)
    rows: Rows = [
        (text("bundle-row-contents").render(language), f"{len(found.blobs):,}"),
        (text("size").render(language), size_words(size)),
        (text("report-file").render(language), str(file)),
    ]
    return _head(language), rows


def pruned_rows(done: Pruned, language: str) -> Table:
    if not done.operations:
        return _head(language), [(text("outcome").render(language), text("bundle-nothing-old").render(language))]
    head = text("bundle-row-removed-version").render(language)
    rows: Rows = [(head, path) for path in done.versions]
    if not done.versions:
        rows = [(text("outcome-planned").render(language), one.text.render(language)) for one in done.operations]
    return _head(language), [*rows, (text("bundle-row-freed").render(language), size_words(done.freed_bytes))]


def switched_rows(done: Switched, language: str) -> Table:
    rows: Rows = [
        (text("bundle-row-name").render(language), done.name),
        (text("bundle-row-sequence").render(language), str(done.sequence)),
        (text("bundle-row-plan").render(language), done.plan),
    ]
    return _head(language), rows


def log_rows(found: Log, language: str) -> Table:
    """What was tampered with is shown as far as it can be read."""
    head = tuple(text(id).render(language) for id in ("log-time", "log-user", "log-event"))
    rows: Rows = [
        (when(str(one.get("time"))), str(one.get("user")), _event(one).render(language)) for one in found.events
    ]
    whole = text("bundle-log-whole") if found.broken_at is None else text("bundle-log-broken", line=found.broken_at)
    return head, [*rows, ("", "", f"{found.path}\n{whole.render(language)}")]


def _event(line: dict[str, Any]) -> Text:
    event = line.get("event")
    id = _EVENTS.get(event) if isinstance(event, str) else None
    if id is None:
        return text("event-unknown", event=event)
    return text(id, **{fact: line.get(fact, "?") for fact in ("name", "sequence", "error", "from", "to")})


def _head(language: str) -> tuple[str, ...]:
    return text("field").render(language), text("value").render(language)


def _told(one: Created | Recut | Verified | Loaded | Inspected, language: str) -> Rows:
    def say(id: str) -> str:
        return text(id).render(language)

    return [
        (say("bundle-row-name"), one.name),
        (say("bundle-row-sequence"), str(one.sequence)),
        (say("bundle-row-root"), one.root_sha256),
        (say("bundle-row-bytes"), size_words(one.carried_bytes)),
    ]


def _signed(signers: tuple[Signer, ...], language: str) -> Rows:
    head = text("bundle-row-signer").render(language)
    if not signers:
        return [(head, text("bundle-unsigned").render(language))]
    return [(head, _signer(one).render(language)) for one in signers]


def _signer(one: Signer) -> Text:
    if one.name is None:
        return text("bundle-signer-unknown", key_id=one.key_id[:16])
    if one.valid:
        return text("bundle-signer-trusted", name=one.name, key_id=one.key_id[:16])
    return text("bundle-signer-invalid", name=one.name, key_id=one.key_id[:16])
