"""What all commands share: the language, the two views, the question before a change, the end of the program."""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from dsdeploy.cli.completion import OFFERED
from dsdeploy.cli.views.table import Table, print_table
from dsdeploy.core.errors import Bug, DsdeployError, Interrupted, NotConfirmed, UsageError
from dsdeploy.core.progress import Progress
from dsdeploy.core.results import Result, failure_document, success_document
from dsdeploy.core.texts import text

if TYPE_CHECKING:
    from pathlib import Path

    from dsdeploy.core.values import Operation

    View = Callable[[Any, str], Table]


@dataclass(frozen=True, slots=True)
class House:
    language: str
    debug: bool = False

    def say(self, id: str, **values: Any) -> str:
        return text(id, **values).render(self.language)

    def flag(self, name: str, help_id: str, *more: str) -> Any:
        """An option, with its help in the reader's language."""
        return typer.Option(name, *more, help=self.say(help_id), autocompletion=OFFERED.get(name))

    @property
    def json_flag(self) -> Any:
        return self.flag("--json", "help-json")

    def finish(
        self,
        command: str,
        work: Callable[[], Result[Any]],
        view: View,
        as_json: bool,
        *,
        plain: bool = False,
        file: Path | None = None,
    ) -> None:
        """Does the work, shows its result or its named error once, and ends the program. `plain` draws no table.

        Where the work writes its `file` to standard output ("-"), that is the answer, and nothing else is shown.
        """
        taken = str(file) == "-"
        if taken and as_json:
            self.fail(command, UsageError(text("stdout-twice"), hint=text("stdout-twice-hint")), as_json)
        try:
            result = work()
        except KeyboardInterrupt:
            if self.debug:
                raise
            self.fail(command, Interrupted(text("interrupted"), hint=text("interrupted-hint")), as_json)
        except DsdeployError as error:
            if self.debug:
                raise
            self.fail(command, error, as_json)
        except Exception as error:
            if self.debug:
                raise
            reason = f"{type(error).__name__}: {error}"
            self.fail(command, Bug(text("bug", reason=reason), hint=text("bug-hint")), as_json)
        else:
            if taken:
                pass
            elif as_json:
                typer.echo(json.dumps(success_document(result, self.language), ensure_ascii=False))
            elif plain:
                for row in view(result.data, self.language)[1]:
                    typer.echo("\t".join(row))
            else:
                print_table(view(result.data, self.language))
            raise typer.Exit(result.exit_code)

    def live(self, command: str, work: Callable[[], Result[Any]], view: View, every_s: float) -> None:
        """Shows the same table anew every `every_s` seconds until somebody interrupts."""
        from dsdeploy.cli.views.table import live_tables

        try:
            live_tables(lambda: view(work().data, self.language), max(0.2, every_s))
        except KeyboardInterrupt:
            raise typer.Exit(0) from None
        except DsdeployError as error:
            if self.debug:
                raise
            self.fail(command, error, False)

    def stream(self, command: str, work: Callable[[], Iterable[str]]) -> None:
        """Shows line after line until there is no more or somebody interrupts, which is how following ends."""
        try:
            for line in work():
                typer.echo(line)
        except (KeyboardInterrupt, BrokenPipeError):
            raise typer.Exit(0) from None
        except DsdeployError as error:
            if self.debug:
                raise
            self.fail(command, error, False)
        raise typer.Exit(0)

    def fail(self, command: str, error: DsdeployError, as_json: bool) -> NoReturn:
        if as_json:
            typer.echo(json.dumps(failure_document(command, error, self.language), ensure_ascii=False))
        else:
            self._tell(f"{error.code}: {error.message.render(self.language)}")
            self._tell(error.hint.render(self.language))
        raise typer.Exit(error.exit_code)

    def _tell(self, words: str, edge: str = "") -> None:
        """On stderr: a terminal breaks no word, and a path that is longer than its line stays in one piece to copy."""
        lines = [words]
        if sys.stderr.isatty():
            from dsdeploy.cli.wrap import wrap

            lines = wrap(words, shutil.get_terminal_size().columns - 2 * len(edge), cut=False)
        for number, line in enumerate(lines):
            typer.echo(edge * min(2, number + 1) + line, err=True)

    def progress(self) -> Progress:
        """A bar on a terminal's stderr; one line a task where none can be redrawn: in a pipe, a log, a CI job."""
        from dsdeploy.cli.progress import Bars, Lines

        gc.enable()

        redrawn = sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")
        return Bars(self.language) if redrawn else Lines(self.language)

    def consent(self, yes: bool) -> Callable[[tuple[Operation, ...]], bool]:
        """Shows what would be done, then asks, unless `yes`. Raises NotConfirmed where nobody can answer.

        A log of a run that nobody was asked about names each operation once: when it begins.
        """

        def ask(operations: tuple[Operation, ...]) -> bool:
            if yes and not sys.stderr.isatty():
                return True
            for operation in operations:
                self._tell(operation.text.render(self.language), "  ")
            if yes:
                return True
            if not sys.stdin.isatty():
                raise NotConfirmed(text("not-confirmed"), hint=text("not-confirmed-hint"))
            return typer.confirm(self.say("go-on"), err=True)

        return ask

    def passphrase(self, file: Path | None) -> Callable[[Path], bytes]:
        """From `file`, else asked for at a terminal. Raises KeyUnusable where nobody can answer."""

        def ask(key: Path) -> bytes:
            from dsdeploy.adapters.bundle.keys import nobody, read_passphrase

            if file is not None:
                return read_passphrase(file)
            if not sys.stdin.isatty():
                return nobody(key)
            return str(typer.prompt(self.say("ask-passphrase", path=key), hide_input=True, err=True)).encode()

        return ask
