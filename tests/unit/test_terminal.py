"""What a terminal shows: nothing wider than it, nothing padded, the reader's language."""

import contextlib
import io
import re
import shlex
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from dsdeploy.cli.main import main
from dsdeploy.cli.views.table import table_lines
from dsdeploy.cli.wrap import wrap

BOUGHT = "--accelerator 'NVIDIA H20-3e' --count 8"
COMMANDS = (
    "profile",
    "models list",
    "models show deepseek-r1",
    f"estimate deepseek-r1 {BOUGHT} --max-model-len 32768 --users 64",
    f"plan {BOUGHT} --users 200 --workload office-assistant",
    "plan --model smoke",
    "render plan.yaml --out rendered",
    "cost eight.yaml",
    "status",
    "--help",
    *(
        f"{one} --help"
        for one in ("plan", "install", "check", "bundle create", "bundle verify", "keys create", "upgrade")
    ),
)
# A command, an option, a path, a repository and the name of a model are what they are in every language.
ENGLISH = re.compile(r"\b[a-z]{2,} [a-z]{2,} [a-z]{2,} [a-z]{2,}\b")


def said(words: str) -> str:
    shown = io.StringIO()
    sys.argv = ["dsdeploy", *shlex.split(words)]
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown), contextlib.suppress(SystemExit):
        main()
    return shown.getvalue()


def stands_alone(line: str) -> bool:
    """A digest or path too long for the terminal: one word below its name, which can be copied whole."""
    return re.fullmatch(r"    [!-~]+", line) is not None


@pytest.fixture
def terminal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DSDEPLOY_HOME", str(tmp_path / "home"))
    said("plan --model smoke --out plan.yaml")
    said(f"plan {BOUGHT} --out eight.yaml")

    def shown(words: str, columns: int) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        return said(words)

    return shown


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_line_is_wider_than_the_terminal_or_ends_in_spaces(terminal, language):
    for words in COMMANDS:
        for columns in (40, 60, 80, 100, 200):
            shown = terminal(f"--lang {language} {words}", columns).splitlines()
            assert len(shown) > 1, words
            wide = [line for line in shown if cell_len(line) > columns]
            assert [line for line in wide if not stands_alone(line)] == [], (words, columns)
            assert [line for line in shown if line != line.rstrip()] == [], (words, columns)


def test_an_option_that_may_be_given_again_says_so_and_not_how_python_holds_it(terminal):
    shown = terminal("bundle create --help", 80)
    assert "--include <path>..." in shown and "--image <str>..." in shown and "list[" not in shown


def test_no_english_sentence_is_left_in_chinese(terminal):
    for words in COMMANDS:
        shown = terminal(f"--lang zh {words}", 200)
        # Notes and sources of the catalogue are cited as they were written.
        shown = shown.partition("备注")[0]
        assert ENGLISH.findall(shown) == [], words


def test_usage_errors_are_said_in_chinese(terminal):
    for words in ("plan nope", "plan --nope", "models show", "plan --users many", "plan --users", "nope", "install"):
        shown = terminal(f"--lang zh {words}", 80)
        assert "UsageError: " in shown and not re.search(r"[A-Za-z]+ [a-z]+ [a-z]+", shown), shown


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_command_to_copy_and_a_digest_stay_in_one_piece(width):
    digest = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
    command = "curl http://127.0.0.1:8080/v1/models " + "-H x " * 40
    rows = [("A name of some length", digest), ("Try it", f"$ {command}")]
    shown = [line for line, _ in table_lines((("Item", "Value"), rows), width)]
    assert f"    {digest}" in shown and f"    {command}" in shown


def test_notes_take_the_whole_line_and_a_table_of_parts_needs_no_heads():
    words = "word " * 30
    table = (("Item", "Value"), [("Choice",), ("A name", "it"), ("Refused",), ("", words)])
    shown = [line for line, _ in table_lines(table, 80)]
    assert shown[:3] == ["Choice", "  A name   it", ""]
    assert len(shown[4]) > 70 and shown[5].startswith("    word")


@given(st.text(alphabet="ab c-/，。（）显存张量", max_size=120), st.integers(2, 40))
def test_wrapping_loses_no_word_and_exceeds_no_width(words, width):
    lines = wrap(words, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == words.replace(" ", "")


@given(
    st.lists(st.tuples(*[st.text(alphabet="ab 显存，1", max_size=60)] * 4), min_size=1, max_size=5),
    st.integers(40, 200),
)
def test_a_table_fits_any_terminal(rows, width):
    for line, _ in table_lines((("One", "Two", "三", "Four"), rows), width):
        assert cell_len(line) <= width


@pytest.mark.parametrize("width", [60, 80])
def test_a_range_of_amounts_stays_whole(width):
    rows = [("Paid before the start of the service, all of it", "1,200,000", "1,000,000 – 1,500,000")]
    said = [line for line, _ in table_lines((("CNY", "Expected", "From – to"), rows), width)]
    assert any("1,000,000 – 1,500,000" in line for line in said), said
