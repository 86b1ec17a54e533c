"""What checks found, as a table that says as much without colour."""

from dsdeploy.cli.views.table import Table
from dsdeploy.core.texts import text
from dsdeploy.core.values import Checked, Finding
from dsdeploy.core.verdicts import SIGNS, STATUSES, VERDICTS, shorten, summary


def checked_rows(checked: Checked, language: str) -> Table:
    columns = (
        text("check-column-result"),
        text("check-column-check"),
        text("check-column-measured"),
        text("check-column-limit"),
        text("check-column-message"),
    )
    rows: list[tuple[str, ...]] = [
        (
            f"{SIGNS[one.status]} {STATUSES[one.status].render(language)}",
            one.id,
            shorten(one.measured),
            shorten(one.limit),
            _words(one, language),
        )
        for one in checked.findings
    ]
    verdict = f"{SIGNS[checked.verdict]} {VERDICTS[checked.verdict].render(language)}"
    rows.append((verdict, text("check-verdict").render(language), "", "", summary(checked).render(language)))
    return tuple(one.render(language) for one in columns), rows


def _words(finding: Finding, language: str) -> str:
    said = finding.message.render(language)
    if finding.hint is None or finding.status not in ("warn", "fail"):
        return said
    return f"{said}\n→ {finding.hint.render(language)}"
