"""`dsdeploy bundle`: a plan and what it needs, carried across an air gap."""

from pathlib import Path
from typing import Annotated

import typer

from dsdeploy import workflows
from dsdeploy.cli.commands import bundle_site
from dsdeploy.cli.commands.install import layout
from dsdeploy.cli.house import House


def add(app: typer.Typer, house: House) -> None:
    bundle = typer.Typer(help=house.say("help-bundle"), no_args_is_help=True)
    app.add_typer(bundle, name="bundle")
    _add_making(bundle, house)
    _add_taking(bundle, house)
    bundle_site.add(bundle, house)


def _add_making(bundle: typer.Typer, house: House) -> None:
    @bundle.command("keygen", help=house.say("help-bundle-keygen"))
    def keygen(
        out: Annotated[Path, house.flag("--output", "help-bundle-keys-out")] = Path("."),
        name: Annotated[str, house.flag("--name", "help-bundle-key-name")] = "dsdeploy-bundle",
        algorithm: Annotated[str, house.flag("--algorithm", "help-bundle-algorithm")] = "ed25519",
        passphrase: Annotated[Path | None, house.flag("--passphrase-file", "help-bundle-new-passphrase")] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.bundle import key_rows

        make = lambda: workflows.bundle_keygen(out, name, algorithm, passphrase)  # noqa: E731
        house.finish("bundle keygen", make, key_rows, as_json)

    @bundle.command("public-key", help=house.say("help-bundle-public-key"))
    def public_key(
        key: Annotated[str, typer.Argument(help=house.say("help-bundle-key"))],
        out: Annotated[Path, house.flag("--output", "help-bundle-keys-out")] = Path("."),
        name: Annotated[str, house.flag("--name", "help-bundle-key-name")] = "dsdeploy-bundle",
        passphrase: Annotated[Path | None, house.flag("--passphrase-file", "help-bundle-passphrase")] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.bundle import key_rows

        house.finish(
            "bundle public-key",
            lambda: workflows.bundle_public_key(key, out, name, house.passphrase(passphrase)),
            key_rows,
            as_json,
        )

    @bundle.command("create", help=house.say("help-bundle-create"))
    def create(
        plan: Annotated[Path, typer.Argument(help=house.say("help-plan-file"))],
        out: Annotated[Path, house.flag("--output", "help-bundle-output")],
        key: Annotated[list[str] | None, house.flag("--key", "help-bundle-key")] = None,
        passphrase: Annotated[Path | None, house.flag("--passphrase-file", "help-bundle-passphrase")] = None,
        name: Annotated[str | None, house.flag("--name", "help-bundle-name")] = None,
        volume_size: Annotated[str | None, house.flag("--volume-size", "help-bundle-volume-size")] = None,
        base: Annotated[Path | None, house.flag("--base", "help-bundle-base")] = None,
        sequence: Annotated[int | None, house.flag("--sequence", "help-bundle-sequence")] = None,
        image: Annotated[list[str] | None, house.flag("--image", "help-bundle-image")] = None,
        include: Annotated[list[Path] | None, house.flag("--include", "help-bundle-include")] = None,
        wheels: Annotated[Path | None, house.flag("--wheels", "help-bundle-wheels")] = None,
        sm3: Annotated[bool | None, house.flag("--sm3/--no-sm3", "help-bundle-sm3")] = None,
        allow_unsigned: Annotated[bool, house.flag("--allow-unsigned", "help-bundle-allow-unsigned")] = False,
        home: Annotated[Path | None, house.flag("--home", "help-home")] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.bundle import created_rows
        from dsdeploy.stages.bundle.create import Order

        order = Order(
            out.absolute(),
            name or "",
            tuple(key or ()),
            volume_size,
            base,
            sequence,
            images=tuple(image or ()),
            include=tuple(include or ()),
            wheels=wheels,
            allow_unsigned=allow_unsigned,
            passphrase=house.passphrase(passphrase),
        )
        house.finish(
            "bundle create",
            lambda: workflows.bundle_create(plan, layout(home), order, sm3, house.progress()),
            created_rows,
            as_json,
        )

    @bundle.command("recut", help=house.say("help-bundle-recut"))
    def recut(
        folder: Annotated[list[Path], house.flag("--from", "help-bundle-from")],
        out: Annotated[Path, house.flag("--output", "help-bundle-output")],
        key: Annotated[list[str] | None, house.flag("--key", "help-bundle-key")] = None,
        passphrase: Annotated[Path | None, house.flag("--passphrase-file", "help-bundle-passphrase")] = None,
        trust: Annotated[list[Path] | None, house.flag("--trust", "help-bundle-trust")] = None,
        volume_size: Annotated[str | None, house.flag("--volume-size", "help-bundle-volume-size")] = None,
        move: Annotated[bool, house.flag("--move", "help-bundle-move")] = False,
        allow_unsigned: Annotated[bool, house.flag("--allow-unsigned", "help-bundle-allow-unsigned")] = False,
        home: Annotated[Path | None, house.flag("--home", "help-home")] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.bundle import recut_rows
        from dsdeploy.stages.bundle.create import Order

        order = Order(
            out.absolute(),
            "",
            tuple(key or ()),
            volume_size,
            allow_unsigned=allow_unsigned,
            passphrase=house.passphrase(passphrase),
        )
        house.finish(
            "bundle recut",
            lambda: workflows.bundle_recut(
                tuple(folder), layout(home), tuple(trust or ()), order, house.progress(), move=move
            ),
            recut_rows,
            as_json,
        )

    @bundle.command("diff", help=house.say("help-bundle-diff"))
    def diff(
        old: Annotated[Path, typer.Argument(help=house.say("help-bundle-old"))],
        new: Annotated[Path, typer.Argument(help=house.say("help-bundle-new"))],
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.bundle import difference_rows

        house.finish("bundle diff", lambda: workflows.bundle_diff(old, new), difference_rows, as_json)


def _add_taking(bundle: typer.Typer, house: House) -> None:
    from_flag = house.flag("--from", "help-bundle-from")
    trust_flag = house.flag("--trust", "help-bundle-trust")
    unsigned_flag = house.flag("--allow-unsigned", "help-bundle-allow-unsigned")
    home_flag = house.flag("--home", "help-home")

    @bundle.command("verify", help=house.say("help-bundle-verify"))
    def verify(
        folder: Annotated[list[Path], from_flag],
        trust: Annotated[list[Path] | None, trust_flag] = None,
        allow_unsigned: Annotated[bool, unsigned_flag] = False,
        home: Annotated[Path | None, home_flag] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.bundle import verified_rows

        house.finish(
            "bundle verify",
            lambda: workflows.bundle_verify(
                tuple(folder), layout(home), tuple(trust or ()), house.progress(), allow_unsigned=allow_unsigned
            ),
            verified_rows,
            as_json,
        )

    @bundle.command("load", help=house.say("help-bundle-load"))
    def load(
        folder: Annotated[list[Path], from_flag],
        trust: Annotated[list[Path] | None, trust_flag] = None,
        allow_unsigned: Annotated[bool, unsigned_flag] = False,
        allow_rollback: Annotated[bool, house.flag("--allow-rollback", "help-bundle-allow-rollback")] = False,
        images_to: Annotated[str, house.flag("--images-to", "help-bundle-images-to")] = "docker",
        ca_file: Annotated[Path | None, house.flag("--ca-file", "help-ca-file")] = None,
        home: Annotated[Path | None, home_flag] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.bundle import loaded_rows
        from dsdeploy.stages.bundle.load import Consent, Place

        consent = Consent(allow_unsigned, allow_rollback)
        place = Place(None if images_to == "none" else images_to, ca_file)
        house.finish(
            "bundle load",
            lambda: workflows.bundle_load(
                tuple(folder), layout(home), tuple(trust or ()), consent, place, house.progress()
            ),
            loaded_rows,
            as_json,
        )

    @bundle.command("inspect", help=house.say("help-bundle-inspect"))
    def inspect(
        folder: Annotated[list[Path], from_flag],
        trust: Annotated[list[Path] | None, trust_flag] = None,
        home: Annotated[Path | None, home_flag] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.bundle import inspected_rows

        house.finish(
            "bundle inspect",
            lambda: workflows.bundle_inspect(tuple(folder), layout(home), tuple(trust or ())),
            inspected_rows,
            as_json,
        )

    @bundle.command("who-signed", help=house.say("help-bundle-who-signed"))
    def who_signed(
        folder: Annotated[list[Path], from_flag],
        trust: Annotated[list[Path] | None, trust_flag] = None,
        home: Annotated[Path | None, home_flag] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.bundle import signer_rows

        house.finish(
            "bundle who-signed",
            lambda: workflows.bundle_who_signed(tuple(folder), layout(home), tuple(trust or ())),
            signer_rows,
            as_json,
        )
