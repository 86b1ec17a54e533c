"""`dsdeploy keys`: who may use a release."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsdeploy import workflows
from dsdeploy.cli.commands.install import layout
from dsdeploy.cli.house import House

if TYPE_CHECKING:
    from dsdeploy.core.values import Release
    from dsdeploy.stages.keys import Change


def add(app: typer.Typer, house: House) -> None:
    keys = typer.Typer(help=house.say("help-keys"), no_args_is_help=True)
    app.add_typer(keys, name="keys")
    name_argument = typer.Argument(help=house.say("help-key-name"))
    release_flag = house.flag("--release", "help-keys-release")
    home_flag = house.flag("--home", "help-home")
    from_flag = house.flag("--from", "help-keys-from")
    out_flag = house.flag("--out", "help-keys-out")
    yes_flag = house.flag("--yes", "help-yes", "-y")
    dry_run_flag = house.flag("--dry-run", "help-dry-run")

    def change(
        command: str,
        home: Path | None,
        release: str | None,
        plan: "Callable[[Release], Change]",
        out: Path | None,
        yes: bool,
        dry_run: bool,
        as_json: bool,
    ) -> None:
        from dsdeploy.cli.views.keys import changed_rows

        house.finish(
            command,
            lambda: workflows.keys_change(
                command, layout(home), release, plan, out, house.consent(yes), dry_run=dry_run
            ),
            changed_rows,
            as_json,
        )

    @keys.command("list", help=house.say("help-keys-list"))
    def list_keys(
        release: Annotated[str | None, release_flag] = None,
        home: Annotated[Path | None, home_flag] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.keys import key_rows

        house.finish("keys list", lambda: workflows.keys_list(layout(home), release), key_rows, as_json)

    def add_new_secret(word: str, help_id: str) -> None:
        @keys.command(word, help=house.say(help_id))
        def write(
            name: Annotated[str, name_argument],
            release: Annotated[str | None, release_flag] = None,
            source: Annotated[Path | None, from_flag] = None,
            out: Annotated[Path | None, out_flag] = None,
            home: Annotated[Path | None, home_flag] = None,
            yes: Annotated[bool, yes_flag] = False,
            dry_run: Annotated[bool, dry_run_flag] = False,
            as_json: Annotated[bool, house.json_flag] = False,
        ) -> None:
            from dsdeploy.stages import keys as stage

            made = {"create": stage.created, "rotate": stage.rotated}[word]

            def plan(found: "Release") -> "Change":
                return made(found, name, stage.given_secret(source))

            change(f"keys {word}", home, release, plan, out, yes, dry_run, as_json)

    add_new_secret("create", "help-keys-create")
    add_new_secret("rotate", "help-keys-rotate")

    @keys.command("revoke", help=house.say("help-keys-revoke"))
    def revoke(
        name: Annotated[str, name_argument],
        release: Annotated[str | None, release_flag] = None,
        home: Annotated[Path | None, home_flag] = None,
        yes: Annotated[bool, yes_flag] = False,
        dry_run: Annotated[bool, dry_run_flag] = False,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.stages.keys import revoked

        change("keys revoke", home, release, lambda found: revoked(found, name), None, yes, dry_run, as_json)
