"""Turns a plan into the files of a release. Rendering is pure; writing them into a folder is a step of its own."""

import configparser
import getpass
import json
from pathlib import Path

import jinja2

import dsdeploy
from dsdeploy.adapters.engines.llamacpp import server_arguments
from dsdeploy.adapters.files import write_whole
from dsdeploy.adapters.templates import template
from dsdeploy.core.errors import RenderError
from dsdeploy.core.industries import find_industry
from dsdeploy.core.layout import KEYS_FILE, PLAN_FILE, RUN_FOLDER
from dsdeploy.core.texts import text
from dsdeploy.core.values import Plan, Release, RenderedFile, RenderedFiles


def render_process(plan: Plan, plan_text: str, release: Release, engine: tuple[str, ...]) -> RenderedFiles:
    """The supervisor's orders, a systemd unit for a permanent install, and the plan itself. Raises RenderError."""
    folder = Path(release.folder)
    arguments = server_arguments(
        plan,
        model=str(Path(release.weights.directory) / release.weights.main_file),
        keys=str(folder / KEYS_FILE),
        host=release.host,
        port=release.port,
    )
    words = (*engine, *arguments)
    orders = {"argv": words, "log_days": find_industry(plan.request.industry).settings.log_retention_days}
    unit = f"dsdeploy-{release.name}.service"
    return RenderedFiles(
        "process",
        (
            RenderedFile(PLAN_FILE, plan_text),
            RenderedFile(f"{RUN_FOLDER}/service.json", json.dumps(orders, indent=1) + "\n"),
            RenderedFile(unit, _unit(plan, release, unit, words)),
        ),
    )


def _unit(plan: Plan, release: Release, unit: str, words: tuple[str, ...]) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    content = environment.from_string(template("systemd/dsdeploy.service.j2")).render(
        name=release.name,
        unit=unit,
        version=dsdeploy.__version__,
        model_id=plan.model_id,
        format=plan.format,
        command=" ".join(map(_systemd_word, words)),
        user=getpass.getuser(),
        memory_bytes=plan.memory.needed_bytes,
        devices=plan.device != "cpu",
    )
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.read_string(content)
    if parsed["Service"]["ExecStart"].count("\n"):
        raise RenderError(text("unit-broken", unit=unit), hint=text("unit-broken-hint"))
    return content


def _systemd_word(word: str) -> str:
    """One word of ExecStart, quoted as systemd.service(5) and systemd.unit(5) (specifiers) ask."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$").replace("\n", "\\n")
    return f'"{escaped}"'


def write_rendered(rendered: RenderedFiles, out: Path) -> None:
    """Each file whole or not at all, into `out`. Raises RenderError."""
    for one in rendered.files:
        path = out / one.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, one.content, one.mode)
        except OSError as error:
            raise RenderError(text("not-writable", path=path, reason=error), hint=text("not-writable-hint")) from error
