"""Fetched weights, as a table."""

from dsdeploy.cli.views.table import Table
from dsdeploy.core.sizes import size_words
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
    files = fetched.weights.files
    return head, [
        (say("outcome"), outcome),
        (say("folder"), fetched.weights.directory),
        (say("bundle-row-files"), f"{len(files):,}"),
        (say("size"), size_words(sum(one.size_bytes for one in files))),
    ]
