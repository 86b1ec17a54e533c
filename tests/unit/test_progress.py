"""What stderr gets: how long work tells of itself, and lines that a terminal's width does not break."""

import sys

import pytest
import typer
from rich.cells import cell_len

from dsdeploy.cli import progress
from dsdeploy.cli.house import House
from dsdeploy.core.errors import UsageError
from dsdeploy.core.texts import text


@pytest.fixture
def stderr(monkeypatch):
    """As a terminal or not, in an environment of its own."""

    def be(terminal: bool, **environment: str) -> None:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
        for name in ("TERM", "CI", "COLUMNS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return be


@pytest.mark.parametrize(
    ("terminal", "environment", "kind"),
    [
        (True, {"TERM": "xterm-256color"}, progress.Bars),
        (True, {"TERM": "dumb"}, progress.Lines),
        (True, {"TERM": "xterm-256color", "CI": "true"}, progress.Lines),
        (False, {"TERM": "xterm-256color"}, progress.Lines),
    ],
)
def test_a_bar_is_drawn_only_where_it_can_be_redrawn(stderr, terminal, environment, kind):
    stderr(terminal, **environment)
    assert type(House("en").progress()) is kind


PATH = "/srv/dsdeploy/releases/night-shift/plan-of-the-second-machine-room.yaml"


def told(language: str) -> None:
    error = UsageError(text("unreadable", path=PATH, reason=text("reason-empty")), hint=text("usage-hint"))
    with pytest.raises(typer.Exit):
        House(language).fail("install", error, False)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_error_keeps_to_a_terminals_width_and_its_path_in_one_piece(stderr, capsys, language):
    stderr(True, COLUMNS="50")
    told(language)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 3 and [line for line in lines if cell_len(line) > 50 and PATH not in line] == []
    assert sum(PATH in line for line in lines) == 1


def test_in_a_pipe_an_error_is_two_lines_however_long(stderr, capsys):
    stderr(False, COLUMNS="50")
    told("en")
    assert len(capsys.readouterr().err.splitlines()) == 2


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
