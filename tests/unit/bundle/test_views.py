"""What a site is shown of its bundles: words, never the ids of the log."""

from pathlib import Path

import pytest

from dsdeploy.cli.views.bundle import created_rows, inventory_rows, log_rows, pruned_rows
from dsdeploy.core.bundle.values import Blob, Inventory
from dsdeploy.stages.bundle.create import Created
from dsdeploy.stages.bundle.versions import Log, Pruned

LINE = {"time": "2026-11-26T08:00:00+00:00", "host": "n1", "user": "ops", "previous": None}
EVENTS = (
    {**LINE, "event": "bundle-loaded", "name": "r1", "sequence": 7},
    {**LINE, "event": "bundle-refused", "error": "SignatureMissing", "reason": "…"},
    {**LINE, "event": "images-delivered", "name": "r1", "sequence": 7, "to": "docker"},
    {**LINE, "event": "bundle-pruned", "versions": ["/x/6"], "freed_bytes": 1},
    {**LINE, "event": "bundle-rolled-back", "name": "r1", "from": 7, "to": 6},
)


@pytest.mark.parametrize(("language", "loaded"), [("en", "r1 7 loaded"), ("zh", "已加载 r1 7")])
def test_the_log_says_in_words_when_who_and_what(language, loaded):
    _, rows = log_rows(Log("/s/audit.jsonl", EVENTS, None), language)
    assert rows[0] == ("2026-11-26T08:00:00Z", "ops", loaded)
    said = [row[2] for row in rows[:-1]]
    assert len(set(said)) == 5 and not any(str(event["event"]) in one for event in EVENTS for one in said)
    assert "SignatureMissing" in said[1] and "docker" in said[2] and "/s/audit.jsonl" in rows[-1][2]


def test_a_log_that_was_tampered_with_is_still_shown():
    torn = ({"event": "bundle-loaded"}, {"event": ["x"], "time": 3}, {})
    _, rows = log_rows(Log("/s/audit.jsonl", torn, 1), "en")
    assert len(rows) == 4 and "NOT whole: line 1" in rows[-1][2]


@pytest.mark.parametrize(("volumes", "said"), [(0, "0"), (1200, "1,200")])
def test_who_built_a_bundle_is_told_how_many_volumes_to_carry(volumes, said):
    made = Created("r1", 7, "2026-11-26T08:00:00Z", "0" * 64, "/m", volumes, 5, 9, 9, ())
    assert ("Volumes", said) in created_rows(made, "en")[1]


def test_pruning_says_when_there_is_nothing_to_remove():
    ((_, words),) = pruned_rows(Pruned((), 0, ()), "en")[1]
    assert words.startswith("nothing to remove")


def test_an_inventory_names_the_file_that_it_wrote():
    _, rows = inventory_rows(Inventory("n1", "2026-11-26T08:00:00Z", (Blob("0" * 64, 2**30),)), Path("site.json"), "en")
    assert rows == [("Contents", "1"), ("Size", "1.00 GiB"), ("File", "site.json")]
