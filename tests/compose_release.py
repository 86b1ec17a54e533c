"""A Compose release of the small model, without the command line: rendered, installed, asked, taken away."""

from functools import partial
from pathlib import Path
from typing import Any

from dsdeploy.adapters.engines.llamacpp.launch import LlamaCpp
from dsdeploy.adapters.targets.compose import ComposeTarget
from dsdeploy.adapters.targets.compose.docker_engine import connect, containers_of
from dsdeploy.core.values import Plan, Release, RenderedFiles, Weights
from dsdeploy.stages.render_compose import render_compose
from tests import program


def release_of(name: str, plan: Plan, weights: Weights, folder: Path) -> Release:
    return Release(
        name=name, target="compose", model_id="smoke", format=plan.format, context_tokens=1024, users=2,
        host=plan.host, port=plan.port, plan_sha256="", folder=str(folder / name), weights=weights, revision=1,
        state="installing", installed_at="",
    )  # fmt: skip


def rendered_for(target: ComposeTarget, plan: Plan, release: Release) -> RenderedFiles:
    return render_compose(plan, "the plan\n", release, partial(LlamaCpp().launch, plan.deployment), target.images)


def install(target: ComposeTarget, release: Release, rendered: RenderedFiles) -> list[str]:
    target.preflight(release)
    done = []
    for operation in target.pending(release, rendered):
        target.apply(operation, release, rendered)
        done.append(operation.action)
    return done


def uninstall(target: ComposeTarget, release: Release) -> list[str]:
    done = []
    for operation in target.removal(release):
        target.apply(operation, release, RenderedFiles("compose", ()))
        done.append(operation.action)
    return done


def container(release: Release, service: str) -> Any:
    found = [one for one in containers_of(connect(), f"dsdeploy-{release.name}") if service in one.name]
    assert len(found) == 1
    return found[0]


def ask(release: Release, path: str, key: str | None = None, body: dict | None = None) -> tuple[int, str]:
    authority = Path(release.folder) / "secrets" / "ca" / "ca.crt"
    return program.ask(f"{release.url}{path}", key, body, authority)


def key_of(release: Release) -> str:
    return (Path(release.folder) / "secrets" / "api-keys").read_text().strip()
