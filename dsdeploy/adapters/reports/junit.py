"""JUnit XML, as pipelines read it: a failed check is a failure, a broken checker is an error."""

import re
import xml.etree.ElementTree as xml

from dsdeploy.core.results import Result
from dsdeploy.core.values import Checked, Finding

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2 (Char)


def render_junit(result: Result[Checked], language: str) -> str:
    checked = result.data
    broken = [one for one in checked.findings if one.id == "check-broke"]
    failed = [one for one in checked.findings if one.status == "fail" and one not in broken]
    suite = xml.Element(
        "testsuite", name="dsdeploy check", tests=str(len(checked.findings)), failures=str(len(failed)),
        errors=str(len(broken)), skipped=str(sum(one.status == "skip" for one in checked.findings)),
        time=f"{checked.took_s:.3f}", timestamp=checked.checked_at.removesuffix("+00:00"),
    )  # fmt: skip
    for finding in checked.findings:
        case = xml.SubElement(suite, "testcase", classname=f"dsdeploy.{checked.release.name}", name=finding.id)
        _add_outcome(case, finding, language)
    xml.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(suite, encoding="unicode") + "\n"


def _add_outcome(case: xml.Element, finding: Finding, language: str) -> None:
    message = _clean(finding.message.render(language))
    if finding.status == "skip":
        xml.SubElement(case, "skipped", message=message)
        return
    hint = finding.hint.render(language) if finding.hint else ""
    facts = _clean("\n".join(filter(None, (finding.measured, finding.limit, hint))))
    if finding.status == "fail":
        kind = "error" if finding.id == "check-broke" else "failure"
        xml.SubElement(case, kind, message=message, type=finding.id).text = facts
        return
    xml.SubElement(case, "system-out").text = f"{finding.status}: {message}\n{facts}".rstrip()


def _clean(words: str) -> str:
    return _NOT_XML.sub("?", words)
