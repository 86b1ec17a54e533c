"""What a shell offers: options with their help, and the values that a person would otherwise look up."""

import contextlib
import io
import sys

import pytest
import shellingham

from dsdeploy.cli.completion import OFFERED
from dsdeploy.cli.main import main
from scripts.reference.commands import commands


@pytest.fixture
def offered(monkeypatch):
    def ask(words: str, shell: str = "fish") -> list[str]:
        """The last word is the one to complete; empty where the words end in a space."""
        monkeypatch.setenv("_DSDEPLOY_COMPLETE", f"complete_{shell}")
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", words)
        monkeypatch.setattr(sys, "argv", ["dsdeploy"])
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
            main()
        return [line for line in said.getvalue().splitlines() if line]

    return ask


def test_every_option_is_offered_with_its_help_as_it_is_written(offered):
    for name, command in commands("en"):
        shown = offered(f"{name} --", "zsh")
        for one in command.params:
            if one.param_type_name == "option":
                assert any(one.opts[0] in line for line in shown), (name, one.opts)
    assert any("HOST[:PORT][/PROJECT]" in line for line in offered("dsdeploy bundle load --", "fish"))


@pytest.mark.parametrize(
    ("words", "one"),
    [
        ("dsdeploy pl", "plan"),
        ("dsdeploy models show deepseek-r1-d", "deepseek-r1-distill-qwen-32b"),
        ("dsdeploy estimate deepseek-v3", "deepseek-v3.2"),
        ("dsdeploy plan --accelerator h20", "h20-141gb"),
        ("dsdeploy plan --model deepseek-r1 --format ", "fp8-block"),
        ("dsdeploy check --only ", "security"),
        ("dsdeploy check --skip chat", "chat-streams"),
        ("dsdeploy bundle keygen --algorithm ", "sm2"),
    ],
)
def test_values_are_offered(offered, words, one):
    assert one in [line.partition("\t")[0] for line in offered(words)]


def test_releases_of_this_home_are_offered(offered, tmp_path, monkeypatch):
    monkeypatch.setenv("DSDEPLOY_HOME", str(tmp_path))
    (tmp_path / "releases" / "night-shift").mkdir(parents=True)
    assert offered("dsdeploy uninstall ") == offered("dsdeploy logs ") == []
    (tmp_path / "releases" / "night-shift" / "release.json").write_text("{}")
    assert offered("dsdeploy logs ") == offered("dsdeploy keys list --release n") == ["night-shift"]


def test_each_list_belongs_to_an_option_and_holds_something():
    options = {opt for _, command in commands("en") for one in command.params for opt in one.opts} | {"--lang"}
    assert set(OFFERED) <= options
    assert all(ask() for name, ask in OFFERED.items() if name != "--release")


@pytest.fixture
def asked(monkeypatch, tmp_path, capsys):
    """The program, started from this shell in a home of its own."""

    def ask(shell: str, *words: str) -> tuple[int, str]:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setattr(shellingham, "detect_shell", lambda: (shell, f"/bin/{shell}"))
        monkeypatch.setattr(sys, "argv", ["dsdeploy", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out + said.err

    return ask


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_put_where_the_shell_reads_it(asked, tmp_path, shell):
    code, said = asked(shell, "--lang", "zh", "--install-completion")
    (written,) = (path for path in tmp_path.rglob("*dsdeploy*") if path.is_file())
    assert code == 0 and "已写入" in said and str(written) in said
    assert asked(shell, "--show-completion")[1].strip() == written.read_text().strip()
    assert "_DSDEPLOY_COMPLETE" in written.read_text()


def test_another_shell_is_refused_by_name(asked, tmp_path):
    code, said = asked("tcsh", "--install-completion")
    assert code == 2 and said.startswith("UsageError: ") and "tcsh" in said and not list(tmp_path.iterdir())


def test_a_home_that_cannot_be_written_is_a_named_error(asked, tmp_path):
    (tmp_path / ".bash_completions").write_text("in the way")
    code, said = asked("bash", "--install-completion")
    assert code == 2 and "UsageError: " in said and ".bash_completions" in said


def test_completing_the_line_after_it_installs_nothing(offered, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert offered("dsdeploy --install-completion pla") and not list(tmp_path.iterdir())
