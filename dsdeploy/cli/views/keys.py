"""A release's keys, as tables: names, when, and the last four characters; a new one once."""

from typing import TYPE_CHECKING

from dsdeploy.cli.views.table import Table, when
from dsdeploy.core.texts import text

if TYPE_CHECKING:
    from dsdeploy.stages.keys import Keys


def key_rows(found: "Keys", language: str) -> Table:
    head = tuple(text(id).render(language) for id in ("key-name", "key-created", "key-ends-with", "key-fingerprint"))
    unknown = text("unknown").render(language)
    return head, [
        (
            one.name,
            when(one.created_at) if one.created_at else unknown,
            f"…{one.ends_with}" if one.ends_with else unknown,
            one.sha256[:12],
        )
        for one in found.keys
    ]


def changed_rows(found: "Keys", language: str) -> Table:
    head = (text("field").render(language), text("value").render(language))
    outcome = "outcome-keys-changed" if found.changed else "outcome-planned"
    rows: list[tuple[str, ...]] = [(text("outcome").render(language), text(outcome).render(language))]
    if not found.changed:
        for number, step in enumerate(found.operations, 1):
            rows.append((text("step", number=number).render(language), step.text.render(language)))
    rows.append((text("key-names").render(language), ", ".join(one.name for one in found.keys) or "-"))
    if found.secret:
        rows.append((text("key-shown-once").render(language), found.secret))
    return head, rows
