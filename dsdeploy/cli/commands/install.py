"""`dsdeploy install`, `status`, `uninstall` and `render`: the life of a release."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsdeploy import workflows
from dsdeploy.cli.completion import releases
from dsdeploy.cli.house import House
from dsdeploy.core.errors import InvalidRequest
from dsdeploy.core.layout import Layout, default_home
from dsdeploy.core.texts import text

if TYPE_CHECKING:
    from dsdeploy.core.results import Result
    from dsdeploy.core.values import Installed


def layout(home: Path | None) -> Layout:
    return Layout(home.absolute() if home else default_home(dict(os.environ)))


def release_name(name: str) -> str:
    """The name itself. Raises InvalidRequest for one that is no good file, service or project name."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,39}", name):
        raise InvalidRequest(text("bad-name", name=name), hint=text("bad-name-hint"))
    return name


def add(app: typer.Typer, house: House) -> None:
    plan_file = typer.Argument(help=house.say("help-plan-file"))
    home_flag = house.flag("--home", "help-home")
    name_flag = house.flag("--name", "help-name")
    yes_flag = house.flag("--yes", "help-yes", "-y")
    dry_run_flag = house.flag("--dry-run", "help-dry-run")
    site_flag = house.flag("--site", "help-site")

    @app.command(help=house.say("help-render"))
    def render(
        plan: Annotated[Path, plan_file],
        out: Annotated[Path, house.flag("--out", "help-render-out")],
        name: Annotated[str, name_flag] = "default",
        home: Annotated[Path | None, home_flag] = None,
        site: Annotated[Path | None, site_flag] = None,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.install import rendered_rows

        house.finish(
            "render",
            lambda: workflows.render(plan, layout(home), release_name(name), out, site),
            rendered_rows,
            as_json,
        )

    @app.command(help=house.say("help-install"))
    def install(
        plan: Annotated[Path, typer.Argument(help=house.say("help-plan-or-bundle"))],
        name: Annotated[str, name_flag] = "default",
        home: Annotated[Path | None, home_flag] = None,
        source: Annotated[str | None, house.flag("--source", "help-source")] = None,
        folder: Annotated[Path | None, house.flag("--from", "help-from")] = None,
        endpoint: Annotated[str | None, house.flag("--endpoint", "help-endpoint")] = None,
        token_file: Annotated[Path | None, house.flag("--token-file", "help-token-file")] = None,
        ca_file: Annotated[Path | None, house.flag("--ca-file", "help-ca-file")] = None,
        trust: Annotated[list[Path] | None, house.flag("--trust", "help-bundle-trust")] = None,
        allow_unsigned: Annotated[bool, house.flag("--allow-unsigned", "help-bundle-allow-unsigned")] = False,
        certificate: Annotated[Path | None, house.flag("--tls-certificate", "help-tls-certificate")] = None,
        key: Annotated[Path | None, house.flag("--tls-key", "help-tls-key")] = None,
        authority: Annotated[Path | None, house.flag("--tls-authority", "help-tls-authority")] = None,
        site: Annotated[Path | None, site_flag] = None,
        context: Annotated[str | None, house.flag("--context", "help-kube-context")] = None,
        namespace: Annotated[str | None, house.flag("--namespace", "help-place-namespace")] = None,
        yes: Annotated[bool, yes_flag] = False,
        dry_run: Annotated[bool, dry_run_flag] = False,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.adapters.gateway.certificate import Given
        from dsdeploy.adapters.hubs import Source
        from dsdeploy.adapters.targets.kubernetes.place import Place
        from dsdeploy.cli.views.install import installed_rows

        if (certificate is None) != (key is None):
            error = InvalidRequest(text("certificate-alone"), hint=text("certificate-alone-hint"))
            house.fail("install", error, as_json)
        given = Given(certificate, key, authority) if certificate and key else None

        def work() -> "Result[Installed]":
            if plan.is_dir():
                from dsdeploy.stages.bundle.load import Consent

                taken = Consent(unsigned=allow_unsigned)
                keys, agree = tuple(trust or ()), house.consent(yes)
                return workflows.install_bundle(
                    plan,
                    layout(home),
                    release_name(name),
                    keys,
                    taken,
                    agree,
                    house.progress(),
                    dry_run=dry_run,
                    certificate=given,
                    site=site,
                    place=Place(context, namespace),
                )
            where = Source(source, folder, endpoint, token_file, ca_file)
            agree = house.consent(yes)
            return workflows.install(
                plan,
                layout(home),
                release_name(name),
                where,
                agree,
                house.progress(),
                dry_run=dry_run,
                certificate=given,
                site=site,
                place=Place(context, namespace),
            )

        house.finish("install", work, installed_rows, as_json)

    @app.command(help=house.say("help-status"))
    def status(
        home: Annotated[Path | None, home_flag] = None,
        watch: Annotated[bool, house.flag("--watch", "help-status-watch", "-w")] = False,
        every: Annotated[float, house.flag("--every", "help-status-every")] = 2,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.install import status_rows

        if watch and not as_json:
            house.live("status", lambda: workflows.status(layout(home)), status_rows, every)
        house.finish("status", lambda: workflows.status(layout(home)), status_rows, as_json)

    @app.command(help=house.say("help-uninstall"))
    def uninstall(
        name: Annotated[str | None, typer.Argument(help=house.say("help-name"), autocompletion=releases)] = None,
        home: Annotated[Path | None, home_flag] = None,
        yes: Annotated[bool, yes_flag] = False,
        dry_run: Annotated[bool, dry_run_flag] = False,
        as_json: Annotated[bool, house.json_flag] = False,
    ) -> None:
        from dsdeploy.cli.views.install import removed_rows

        house.finish(
            "uninstall",
            lambda: workflows.uninstall(layout(home), name, house.consent(yes), house.progress(), dry_run=dry_run),
            removed_rows,
            as_json,
        )
