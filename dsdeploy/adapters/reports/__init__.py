"""Reports of a check, each a file of its own: a page for people, JSON for programs, JUnit for pipelines."""

from collections.abc import Callable
from pathlib import Path

from dsdeploy.adapters.files import write_whole
from dsdeploy.core.errors import ReportNotWritable, UnknownReport
from dsdeploy.core.results import Result
from dsdeploy.core.texts import text
from dsdeploy.core.values import Checked

Render = Callable[[Result[Checked], str], str]
_MODE = 0o644


def find_report(path: Path) -> Render:
    """What writes such a file, by its name's end. Raises UnknownReport, ReportNotWritable."""
    suffix = path.suffix.lower()
    if not path.absolute().parent.is_dir():
        message = text("not-writable", path=path, reason=path.absolute().parent)
        raise ReportNotWritable(message, hint=text("not-writable-hint"))
    if suffix in (".html", ".htm"):
        from dsdeploy.adapters.reports.html import render_html

        return render_html
    if suffix == ".json":
        from dsdeploy.adapters.reports.document import render_json

        return render_json
    if suffix == ".xml":
        from dsdeploy.adapters.reports.junit import render_junit

        return render_junit
    raise UnknownReport(text("unknown-report", path=path), hint=text("unknown-report-hint"))


def write_report(path: Path, content: str) -> None:
    """Whole or not at all. Raises ReportNotWritable."""
    try:
        write_whole(path, content, _MODE)
    except OSError as error:
        message = text("not-writable", path=path, reason=error.strerror or error)
        raise ReportNotWritable(message, hint=text("not-writable-hint")) from error
