"""JUnit XML, as pipelines read it: a failed check is a failure, a broken checker is an error.

Valid against the schema of Jenkins' xunit plugin (junit-10.xsd); GitLab shows an element's text, Jenkins its message,
so that both say everything.
"""

import re
import xml.etree.ElementTree as xml

from dsdeploy.core.findings import BROKE
from dsdeploy.core.results import Result
from dsdeploy.core.texts import text
from dsdeploy.core.values import Checked, Finding
from dsdeploy.core.verdicts import STATUSES

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2 (Char)


def render_junit(result: Result[Checked], language: str) -> str:
    checked = result.data
    broken = [one for one in checked.findings if one.id == BROKE]
    failed = [one for one in checked.findings if one.status == "fail" and one not in broken]
    suite = xml.Element(
        "testsuite", name="dsdeploy check", tests=str(len(checked.findings)), failures=str(len(failed)),
        errors=str(len(broken)), skipped=str(sum(one.status == "skip" for one in checked.findings)),
        time=f"{checked.took_s:.3f}", timestamp=checked.checked_at.removesuffix("+00:00"),
    )  # fmt: skip
    for finding in checked.findings:
        case = xml.SubElement(
            suite, "testcase", classname=f"dsdeploy.{checked.release.name}", name=_check_of(finding),
            time=f"{finding.took_s or 0:.3f}",
        )  # fmt: skip
        _add_outcome(case, finding, language)
    xml.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(suite, encoding="unicode") + "\n"


def _check_of(finding: Finding) -> str:
    """A broken checker's case keeps its check's name, so that a pipeline follows it from run to run."""
    return str(finding.message.values["check"]) if finding.id == BROKE else finding.id


def _add_outcome(case: xml.Element, finding: Finding, language: str) -> None:
    lines = [_NOT_XML.sub("?", line) for line in _lines(finding, language)]
    message = " | ".join(" ".join(line.split()) for line in lines)
    if finding.status == "skip":
        xml.SubElement(case, "skipped", message=message)
    elif finding.status == "fail":
        kind = "error" if finding.id == BROKE else "failure"
        xml.SubElement(case, kind, message=message, type=finding.id).text = "\n".join(lines)
    else:
        lines[0] = f"{STATUSES[finding.status].render(language)}: {lines[0]}"
        xml.SubElement(case, "system-out").text = "\n".join(lines)


def _lines(finding: Finding, language: str) -> list[str]:
    """What was found, measured value, limit and remedy, each in a line of its own where there is one."""
    said = [finding.message]
    said += [text("report-measured", value=finding.measured)] if finding.measured else []
    said += [text("report-limit", value=finding.limit)] if finding.limit else []
    said += [text("report-hint", hint=finding.hint)] if finding.hint and finding.status in ("warn", "fail") else []
    return [one.render(language) for one in said]
