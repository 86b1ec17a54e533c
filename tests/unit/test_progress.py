"""How long work tells of itself where there is no terminal."""

import pytest

from dsdeploy.cli import progress
from dsdeploy.core.texts import text


@pytest.mark.parametrize(("language", "line"), [("en", "  25%, 10 MB/s, 0:01:00 left"), ("zh", "剩余 0:01:00")])
def test_a_log_gets_rate_and_time_left_now_and_then(monkeypatch, capsys, language, line):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    told = progress.Lines(language)
    told.begin(text("fetching", name="x"), 800_000_000)
    for _ in range(20):
        now[0] += 1
        told.advance(10_000_000)
    told.end()
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    now[0] += 5
    told.begin(text("fetching", name="x"), 800_000_000)
    now[0] += 20
    told.advance(200_000_000)
    assert line in capsys.readouterr().err
