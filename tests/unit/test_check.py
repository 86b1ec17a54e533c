import json
import re
import xml.etree.ElementTree as xml
from html.parser import HTMLParser
from unittest.mock import Mock

import pytest

from dsdeploy.adapters.reports import find_report, write_report
from dsdeploy.adapters.reports.plots import dot_plot
from dsdeploy.core.checks import GROUPS, check_facts
from dsdeploy.core.errors import NoAnswer, NothingToCheck, ReportNotWritable, UnknownCheck, UnknownReport
from dsdeploy.core.percentiles import percentile
from dsdeploy.core.progress import SILENT
from dsdeploy.core.results import Result
from dsdeploy.core.texts import text
from dsdeploy.core.values import Checked, Finding, Load, Release, Sample, WeightFile, Weights
from dsdeploy.core.verdicts import STATUSES
from dsdeploy.stages.check import CHECKS, Selection, list_checks, run_checks, verdict
from dsdeploy.stages.check.subject import Check, Subject, failed, passed

GOOD, BAD = text("check-healthy"), text("check-unhealthy", status=503)
HINT = text("check-unhealthy-hint")
DIGEST = "ab" * 32


def finding(status, id="engine-healthy", **more):
    return Finding(id, status, BAD if status == "fail" else GOOD, HINT, **more)


def checked(*findings, loads=()):
    weights = Weights("smoke", "gguf", "package", None, "/w", (WeightFile("<b>&.gguf", 5, DIGEST),))
    release = Release(
        "default", "process", "smoke", "gguf", 4096, 2, "127.0.0.1", 8080, DIGEST, "/r", weights, 1, "installed", "t"
    )
    return Result("check", Checked(release, verdict(findings), findings, loads, "2026-01-01T00:00:00+00:00", 1.5, "0"))


def run(*checks, **selection):
    subject = Subject(None, None, None, None, None, None, None, SILENT)
    known = Selection()
    for name, ids in selection.items():
        object.__setattr__(known, name, ids)
    return run_checks(checks, subject, known)


def raising(error):
    def check(subject):
        raise error

    return check


def test_the_worst_finding_is_the_verdict_and_nothing_proven_is_no_pass():
    for statuses, expected in (
        (("pass",), "pass"),
        (("pass", "skip"), "pass"),
        (("pass", "warn"), "warn"),
        (("warn", "fail"), "fail"),
        (("skip",), "warn"),
        ((), "warn"),
    ):
        assert verdict(tuple(map(finding, statuses))) == expected, statuses


def test_none_stops_the_others_and_a_broken_checker_looks_unlike_a_failed_check():
    found = run(
        Check("a", raising(ZeroDivisionError("boom"))),
        Check("b", raising(NoAnswer(BAD, hint=HINT))),
        Check("c", lambda _: passed(GOOD)),
    )
    assert [(one.id, one.status) for one in found] == [("check-broke", "fail"), ("b", "fail"), ("c", "pass")]
    assert found[0].message.render("en").startswith("The checker of a broke") and found[1].message is BAD


def test_a_check_that_could_only_repeat_a_fault_is_not_judged_even_when_the_fault_was_demoted():
    down = Check("a", lambda _: failed(BAD, HINT))
    after, far = (
        Check("b", lambda _: passed(GOOD), ("a",)),
        Check("c", lambda _: passed(GOOD), ("b",)),
    )
    assert [one.status for one in run(down, after, far)] == ["fail", "skip", "skip"]
    assert [one.status for one in run(down, after, far, demote=("a",))] == ["warn", "skip", "skip"]
    assert [one.status for one in run(down, after, far, skip=("a",))] == ["pass", "pass"]
    assert [one.id for one in run(down, after, far, only=("c",))] == ["c"]


def test_a_broken_checker_cannot_be_demoted():
    assert run(Check("a", raising(KeyError("x"))), demote=("a",))[0].status == "fail"


def test_an_unknown_check_is_named_with_the_few_nearest():
    for where in ("only", "skip", "demote"):
        with pytest.raises(UnknownCheck) as caught:
            Selection(**{where: ("api-need-key",)})
        near = caught.value.hint.values["near"].split(", ")
        assert near[0] == "api-needs-key" and len(near) <= 3
    with pytest.raises(UnknownCheck) as caught:
        Selection(only=("?",))
    assert caught.value.hint.values["near"]


def test_what_leaves_nothing_to_run_is_an_error_and_no_warning():
    for chosen in ({"only": ("plan-unchanged",), "skip": ("integrity",)}, {"skip": GROUPS}):
        with pytest.raises(NothingToCheck):
            Selection(**chosen)
    assert Selection(only=("speed",)).without("speed", "quality").skip == ()
    assert Selection().without("speed", "quality").skip == ("speed", "quality")


def test_the_list_tells_every_check_that_a_choice_allows_also_those_that_run_only_when_asked_for():
    assert [one.id for one in list_checks(Selection())] == list(check_facts())
    (one,) = list_checks(Selection(only=("resilience",)))
    assert one.id == "engine-returns" and one.only_asked
    assert "engine-returns" not in {one.id for one in list_checks(Selection(skip=("resilience",)))}


def test_checks_are_named_once_in_kebab_case_and_need_only_earlier_ones():
    seen = []
    for check in CHECKS:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", check.id) and check.id not in seen
        assert set(check.needs) <= set(seen), check.id
        seen.append(check.id)


EVERY = (
    finding("pass", measured="1"),
    finding("warn"),
    finding("fail", "api-needs-key", measured="200", limit="401"),
    finding("skip"),
    Finding("check-broke", "fail", text("check-broke", check="x", error="bad \x00 <script>"), HINT),
)
LOADS = (Load(1, (Sample(0.1, 1.0, 24), Sample(0.2, 1.0, 24)), 2.0, 0.01), Load(2, (Sample(0.3, 0.3, 1),), 1.0, 0.01))


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href", "action", "data")]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_stands_alone_escapes_what_it_is_told_and_is_in_one_language(tmp_path, language):
    result = checked(*EVERY, loads=LOADS)
    content = find_report(tmp_path / "r.html")(result, language).replace("&#39;", "'")
    page = Page()
    page.feed(content)
    assert page.links == [] and not {"script", "link", "img", "iframe"} & set(page.tags)
    assert "@import" not in content and "url(" not in content and page.tags.count("svg") == 3
    assert "&lt;script&gt;" in content and "&lt;b&gt;&amp;.gguf" in content and DIGEST in content
    assert content.count("<code>api-needs-key</code>") == 1 and "401" in content and HINT.render(language) in content
    other = {"en": "zh", "zh": "en"}[language]
    assert HINT.render(other) not in content and text("report-facts").render(other) not in content


def test_junit_counts_failures_apart_from_broken_checkers(tmp_path):
    suite = xml.fromstring(find_report(tmp_path / "r.xml")(checked(*EVERY), "zh"))
    assert suite.tag == "testsuite"
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["5", "1", "1", "1"]
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases if case.find("failure") is not None] == ["api-needs-key"]
    assert [case.get("name") for case in cases if case.find("error") is not None] == ["x"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_failed_case_says_value_limit_and_remedy_both_where_jenkins_and_where_gitlab_look(tmp_path, language):
    found = (finding("fail", measured="503", limit="200", took_s=1.25), finding("warn", measured="1"), finding("skip"))
    failed_case, warned_case, skipped_case = xml.fromstring(find_report(tmp_path / "r.xml")(checked(*found), language))
    told = [
        BAD, text("report-measured", value="503"), text("report-limit", value="200"), text("report-hint", hint=HINT),
    ]  # fmt: skip
    words = [one.render(language) for one in told]
    failure = failed_case.find("failure")
    assert failed_case.get("time") == "1.250" and skipped_case.get("time") == "0.000"
    assert failure.text.split("\n") == words and failure.get("message") == " | ".join(words)
    assert skipped_case.find("skipped").get("message") == GOOD.render(language)
    warned_lines = warned_case.findtext("system-out").split("\n")
    assert STATUSES["warn"].render(language) in warned_lines[0] and words[-1] == warned_lines[-1]


def test_each_finding_says_how_long_it_took_and_none_where_nothing_ran(tmp_path):
    ran, blocked = run(Check("a", lambda _: failed(BAD, HINT)), Check("b", lambda _: passed(GOOD), ("a",)))
    assert ran.took_s >= 0 and blocked.took_s is None
    page = find_report(tmp_path / "r.html")(checked(finding("pass", took_s=8.84), finding("skip")), "en")
    assert '<td class="number">8.8 s</td>' in page and '<td class="number">–</td>' in page


def test_the_json_report_is_the_commands_own_document(tmp_path):
    document = json.loads(find_report(tmp_path / "r.json")(checked(*EVERY, loads=LOADS), "en"))
    assert document["schema"] == "dsdeploy/result/v1" and document["data"]["verdict"] == "fail"
    assert document["data"]["loads"][0]["samples"][1]["first_s"] == 0.2


def test_a_report_that_cannot_be_is_refused_before_any_check(tmp_path):
    with pytest.raises(UnknownReport):
        find_report(tmp_path / "r.pdf")
    with pytest.raises(ReportNotWritable):
        find_report(tmp_path / "missing" / "r.html")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(ReportNotWritable):
        write_report(tmp_path / "folder.html", "x")
    assert [one.name for one in tmp_path.iterdir()] == ["folder.html"]


def test_percentiles_are_values_and_plots_keep_every_dot_on_the_axis():
    assert [percentile([3, 1, 2, 4], p) for p in (0, 50, 95, 100)] == [1, 2, 4, 4]
    assert dot_plot([("none", [])]) is None
    for values in ([0.0], [0.001, 0.002], [99.9, 100.1], [12345.0]):
        plot = dot_plot([("a", values)])
        assert all(plot.left <= x <= plot.right for x in plot.rows[0].dots), values


def test_speed_that_no_plan_predicts_is_measured_and_proves_nothing():
    load = Load(2, LOADS[0].samples, 2.0, 0.01)
    subject = Subject(checked().data.release, None, None, None, None, None, Mock(run=lambda *_: load), SILENT)
    found = run_checks(CHECKS, subject, Selection(only=("speed",), skip=("concurrent-users-served",)))
    assert [(one.status, bool(one.measured)) for one in found] == [("skip", True)] * 3
