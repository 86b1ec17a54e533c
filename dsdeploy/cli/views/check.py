"""What checks found, as a table that says as much without colour."""

import re
from itertools import groupby
from pathlib import Path

from dsdeploy.adapters.reports import ReportSigners
from dsdeploy.cli.views.table import COMMAND, Table
from dsdeploy.core.texts import text
from dsdeploy.core.values import Checked, Finding
from dsdeploy.core.verdicts import GROUP_WORDS, SIGNS, STATUSES, VERDICTS, not_compared, summary
from dsdeploy.stages.check import ListedCheck

_LONG_COMMAND = re.compile(r" ?`([^`]* /[^`]*)`")  # one with a path, which a column would break

_ORDER = ("skip", "pass", "warn", "fail")  # what matters ends beside the verdict, where a terminal stands


def checked_rows(checked: Checked, language: str, report: Path | None = None) -> Table:
    columns = (
        text("check-column-result"),
        text("check-column-check"),
        text("check-column-message"),
    )
    rows: list[tuple[str, ...]] = []
    for status in _ORDER:
        sign = f"{SIGNS[status]} {STATUSES[status].render(language)}"
        said: dict[str, list[str]] = {}
        for one in checked.findings:
            if one.status == status:
                said.setdefault(_words(one, language), []).append(one.id)
        below = text("check-command-below").render(language)
        for words, ids in said.items():
            rows.append((sign, "\n".join(ids), _LONG_COMMAND.sub(below, words)))
            rows += [("", "", COMMAND + one) for one in _LONG_COMMAND.findall(words)]
    for change in checked.changes:
        before, after = (STATUSES[one] if one else "–" for one in (change.before, change.after))
        words = text("report-change", before=before, after=after).render(language)
        rows.append(("▼" if change.worse else "▲", change.id, words))
    rows += [("–", "", line.render(language)) for line in not_compared(checked)]
    if report is not None:
        rows.append(("", text("check-report").render(language), str(report)))
    words = f"{VERDICTS[checked.verdict].render(language)}\n{summary(checked).render(language)}"
    rows.append((SIGNS[checked.verdict], text("check-verdict").render(language), words))
    return tuple(one.render(language) for one in columns), rows


def listed_rows(checks: tuple[ListedCheck, ...], language: str) -> Table:
    columns = (text("check-column-check"), text("check-list-proves"), text("check-column-limit"))
    rows: list[tuple[str, ...]] = []
    for group, members in groupby(checks, key=lambda one: one.group):
        rows.append((f"{GROUP_WORDS[group].render(language)} ({group})",))
        for one in members:
            truth = one.truth[language]
            words = text("check-list-only-asked", truth=truth).render(language) if one.only_asked else truth
            rows.append((one.id, words, one.limit))
    return tuple(one.render(language) for one in columns), rows


def _words(finding: Finding, language: str) -> str:
    """What is just as it should be needs no figure beside its sentence; reports and --json hold them all."""
    said = finding.message.render(language)
    if finding.measured and not (finding.status == "pass" and finding.measured == finding.limit):
        held = text("check-measured", measured=finding.measured, limit=finding.limit).render(language)
        said = f"{said}\n{held if finding.limit else finding.measured}"
    if finding.hint is None or finding.status not in ("warn", "fail"):
        return said
    return f"{said}\n→ {finding.hint.render(language)}"


def signer_rows(found: ReportSigners, language: str) -> Table:
    head = (text("field").render(language), text("value").render(language))
    signers = "\n".join(f"{one.name} ({one.key_id[:16]})" for one in found.signers if one.valid)
    return head, [
        (text("report-file").render(language), found.path),
        (text("check-verdict").render(language), VERDICTS[found.verdict].render(language)),
        (text("report-signed-by").render(language), signers),
    ]
