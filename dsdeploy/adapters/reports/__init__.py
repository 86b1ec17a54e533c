"""Reports of a check or a plan, each a file of its own: a page for people, JSON for programs, JUnit for pipelines."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dsdeploy.adapters.files import write_whole
from dsdeploy.core.errors import ReportNotWritable, UnknownReport
from dsdeploy.core.results import Result
from dsdeploy.core.texts import text
from dsdeploy.core.values import Checked

Render = Callable[[Result[Checked], str], str]
_MODE = 0o644
_PAGES = (".html", ".htm")


@dataclass(frozen=True, slots=True)
class Report:
    """The page that is wanted of a plan. `prices` is a file with the user's own; `rented` prices rent, not purchase."""

    path: Path
    language: str
    prices: Path | None = None
    rented: bool = False
    region: str = "cn"


def find_report(path: Path) -> Render:
    """What writes such a file, by its name's end. Raises UnknownReport, ReportNotWritable."""
    suffix = path.suffix.lower()
    _demand_folder(path)
    if suffix in _PAGES:
        from dsdeploy.adapters.reports.html import render_html

        return render_html
    if suffix == ".json":
        from dsdeploy.adapters.reports.document import render_json

        return render_json
    if suffix == ".xml":
        from dsdeploy.adapters.reports.junit import render_junit

        return render_junit
    raise UnknownReport(text("unknown-report", path=path), hint=text("unknown-report-hint"))


def demand_page(path: Path) -> None:
    """A plan's report is a page. Raises UnknownReport, ReportNotWritable."""
    _demand_folder(path)
    if path.suffix.lower() not in _PAGES:
        raise UnknownReport(text("unknown-report", path=path), hint=text("plan-report-hint"))


def _demand_folder(path: Path) -> None:
    if not path.absolute().parent.is_dir():
        message = text("not-writable", path=path, reason=path.absolute().parent)
        raise ReportNotWritable(message, hint=text("not-writable-hint"))


def write_report(path: Path, content: str) -> None:
    """Whole or not at all. Raises ReportNotWritable."""
    try:
        write_whole(path, content, _MODE)
    except OSError as error:
        message = text("not-writable", path=path, reason=error.strerror or error)
        raise ReportNotWritable(message, hint=text("not-writable-hint")) from error
