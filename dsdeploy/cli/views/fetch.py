"""Fetched weights, as a table."""

from dsdeploy.cli.views.table import Table
from dsdeploy.core.texts import text
from dsdeploy.core.values import Fetched


def fetched_rows(fetched: Fetched, language: str) -> Table:
    def say(id: str, **values: object) -> str:
        return text(id, **values).render(language)

    head = (say("field"), say("value"))
    if fetched.weights is None:
        steps = [(say("step", number=1), one.text.render(language)) for one in fetched.operations]
        return head, [(say("outcome"), say("outcome-planned")), *steps]
    outcome = say("fetched") if fetched.operations else say("held")
    rows: list[tuple[str, ...]] = [(say("outcome"), outcome), (say("folder"), fetched.weights.directory)]
    for one in fetched.weights.files:
        rows.append((one.name, say("file-value", size=f"{one.size_bytes:,}", sha256=one.sha256)))
    return head, rows
