"""An earlier report against a newer one, controls and metrics from findings, and percentiles that say how sure."""

import random
import time
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dsdeploy import workflows
from dsdeploy.adapters.bundle.keys import generate_key, load_private, load_public
from dsdeploy.adapters.log_files import tail_lines
from dsdeploy.adapters.reports import find_report, read_earlier, sign_report, verify_report, write_report
from dsdeploy.adapters.targets.process import supervisor
from dsdeploy.cli.views.check import checked_rows
from dsdeploy.core.checks import check_facts
from dsdeploy.core.comparison import Comparison, compare
from dsdeploy.core.controls import frameworks, frameworks_of, judge_controls, judge_rules
from dsdeploy.core.errors import (
    InvalidRequest,
    ReportUnreadable,
    SignatureInvalid,
    SignatureMissing,
    SignerUnknown,
    UsageError,
)
from dsdeploy.core.findings import BROKE
from dsdeploy.core.industries import industries
from dsdeploy.core.layout import Layout
from dsdeploy.core.metrics import METRICS, prometheus_text
from dsdeploy.core.percentiles import percentile, spread
from dsdeploy.core.progress import SILENT
from dsdeploy.core.results import Result
from dsdeploy.core.texts import text
from dsdeploy.stages.check import CHECKS, Selection
from tests.unit.test_check import LOADS, checked, finding


def test_what_changed_is_told_worse_first(tmp_path):
    before = checked(finding("pass", "engine-runs"), finding("fail", "api-needs-key"), finding("pass", "gone"))
    (tmp_path / "r.json").write_text(find_report(tmp_path / "r.json")(before, "zh"))
    now = (finding("warn", "engine-runs", measured="2"), finding("pass", "api-needs-key"), finding("pass", "same"))
    found = compare(read_earlier(tmp_path / "r.json"), now)
    assert [(one.id, one.before, one.after, one.worse) for one in found.changes] == [
        ("engine-runs", "pass", "warn", True),
        ("api-needs-key", "fail", "pass", False),
    ]
    assert (found.only_before, found.only_after) == (("gone",), ("same",))
    assert compare(read_earlier(tmp_path / "r.json"), before.data.findings) == Comparison()


def test_a_checker_that_broke_is_a_change_though_no_earlier_report_holds_one():
    broken = finding("fail", "check-broke")
    found = compare({"engine-runs": {"status": "pass", "measured": None}}, (broken,))
    assert [(one.id, one.before, one.after, one.worse) for one in found.changes] == [
        ("check-broke", None, "fail", True)
    ]
    assert (found.only_before, found.only_after) == (("engine-runs",), ())
    mended = compare({"check-broke": {"status": "fail", "measured": None}}, (finding("pass"),))
    assert [(one.after, one.worse) for one in mended.changes] == [(None, False)]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_only_one_report_ran_is_one_line_and_no_change(tmp_path, language):
    result = checked(finding("pass"))
    result = Result("check", replace(result.data, only_before=("a", "b", "c", "d")))
    line = text("report-only-before", count=4, ids="a, b, c, …").render(language)
    _, rows = checked_rows(result.data, language)
    assert [row[2] for row in rows if not row[1]] == [line] and not {row[0] for row in rows} & {"▼", "▲"}
    page = find_report(tmp_path / "r.html")(result, language)
    assert page.count(line) == 1 and '<table class="changes">' not in page


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('{"schema": "dsdeploy/result/v9"}', "dsdeploy/result/v9"),
        ('{"schema": "dsdeploy/result/v1", "command": "plan"}', '"plan"'),
        ('{"schema": "dsdeploy/result/v1", "command": "check", "data": null}', "findings"),
        ('{"schema": "dsdeploy/result/v1", "command": "check", "data": {"findings": [1]}}', "findings"),
        ('{"schema": "dsdeploy/result/v1", "command": "check", "data": [1]}', "findings"),
        (
            '{"schema": "dsdeploy/result/v1", "command": "check", "data": {"findings": [{"id": "a", "status": []}]}}',
            "findings.status: expected pass / skip / warn / fail, found []",
        ),
        ("[]", "expected a mapping, found []"), ("{", "line 1"), ("[" * 100_000, "nested too deeply"),
    ],
)  # fmt: skip
def test_a_foreign_report_is_named(tmp_path, content, named):
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(ReportUnreadable) as caught:
        read_earlier(tmp_path / "r.json")
    assert named in caught.value.message.render("en")
    with pytest.raises(ReportUnreadable):
        read_earlier(tmp_path / "none.json")


def test_a_signed_report_is_held_to_every_byte(tmp_path):
    generate_key(tmp_path, "officer", "ed25519")
    generate_key(tmp_path, "other", "ecdsa-p256")
    path, result = tmp_path / "r.html", checked(finding("pass"))
    content = find_report(path)(result, "en")
    write_report(path, content)
    trusted = (load_public(tmp_path / "officer.pub"),)
    with pytest.raises(SignatureMissing):
        verify_report(path, trusted)
    sign_report(path, content, result.data, load_private(str(tmp_path / "officer.key")))
    found = verify_report(path, trusted)
    assert found.verdict == "pass" and found.signers[0].name == "officer"
    with pytest.raises(SignerUnknown):
        verify_report(path, (load_public(tmp_path / "other.pub"),))
    signature = tmp_path / "r.html.sig"
    kept = signature.read_bytes()
    for broken in (kept[:-20], kept.replace(b'"payload":"', b'"payload":"A'), b"{}"):
        signature.write_bytes(broken)
        with pytest.raises(SignatureInvalid):
            verify_report(path, trusted)
    signature.write_bytes(kept)
    path.write_text(content + " ")
    with pytest.raises(SignatureInvalid):
        verify_report(path, trusted)


def test_a_key_without_a_report_and_a_report_without_a_signature_are_named(tmp_path):
    with pytest.raises(UsageError) as caught:
        workflows.check(Layout(tmp_path), None, Selection(), None, "en", SILENT, strict=False, sign_key=tmp_path / "k")
    assert caught.value.message.id == "sign-nothing"
    (tmp_path / "r.html").write_text("x")
    with pytest.raises(SignatureMissing) as caught:
        verify_report(tmp_path / "r.html", ())
    assert caught.value.message.id == "report-unsigned"


def test_fewer_lines_than_none_are_refused(tmp_path):
    with pytest.raises(InvalidRequest):
        workflows.logs(Layout(tmp_path), None, -1, follow=False)
    with pytest.raises(InvalidRequest):
        workflows.support_bundle(Layout(tmp_path), None, tmp_path / "s", -1, "en", SILENT)


def test_every_control_names_known_checks_in_both_languages_with_a_source():
    for framework in frameworks():
        assert framework.source and set(framework.title) == {"en", "zh"}
        for control in framework.controls:
            assert set(control.title) == {"en", "zh"} and set(control.checks) <= set(check_facts()), control
    for industry in industries():
        assert len(frameworks_of(industry.id, "compose")) > 2
    assert all("docker" not in one.id for one in frameworks_of("energy", "kubernetes"))


def test_a_control_has_evidence_only_where_all_its_checks_passed_and_part_of_it_where_some_were_not_judged():
    framework = next(one for one in frameworks() if one.id == "nist-800-53")
    found = (finding("pass", "api-needs-key"), finding("skip", "wrong-key-refused"), finding("fail", "egress-closed"),
             finding("pass", "listens-only-where-planned"))  # fmt: skip
    states = {one.control.id: one.state for one in judge_controls(framework, found)}
    assert (states["AC-3"], states["SC-7"], states["SI-7"], states["IR-4"]) == ("partial", "open", "unseen", "site")
    both = (finding("pass", "api-needs-key"), finding("pass", "wrong-key-refused"))
    assert {one.state for one in judge_controls(framework, both) if one.control.id == "AC-3"} == {"evidence"}


def test_each_industrys_rules_come_down_to_known_controls_or_are_the_sites_own_duty():
    known = {f"{one.id} {each.id}" for one in frameworks() for each in one.controls}
    for industry in industries():
        assert all(set(one.rule.controls) <= known for one in judge_rules(industry.id, ()))
    states = {one.rule.id: one.state for one in judge_rules("energy", (finding("pass", "tls-modern"),))}
    assert (states["mlps-transit"], states["mlps-boundary"], states["power"]) == ("partial", "unseen", "site")
    both = judge_rules("energy", tuple(finding("pass", id) for id in ("egress-closed", "listens-only-where-planned")))
    assert next(one.state for one in both if one.rule.id == "mlps-boundary") == "partial"
    found = tuple(finding("pass", id) for id in check_facts())
    assert {one.state for one in judge_rules("energy", found)} == {"evidence", "site"}
    against = judge_rules("finance", (finding("pass", "egress-closed"), finding("fail", "api-needs-key")))
    assert next(one.state for one in against if one.rule.id == "mlps-boundary") == "open"
    assert judge_rules("no such industry", ()) == judge_rules("general", ())


def test_what_was_not_held_against_a_source_says_so():
    unsure = {one.id for one in frameworks() if not all(each.verified for each in one.controls)}
    assert unsure == {"gbt45654"} and all({"en", "zh"} == set(one.held_against) for one in frameworks())


def test_checks_and_their_facts_are_the_same_list():
    assert {one.id for one in CHECKS} == set(check_facts())
    assert all(set(one.truth) == {"en", "zh"} and one.limit for one in check_facts().values())


def test_metrics_are_what_prometheus_reads():
    words = prometheus_text(checked(finding("fail", 'odd"\n\\', measured="1"), loads=LOADS).data)
    families = {one.name: one for one in text_string_to_metric_families(words)}
    assert set(families) == set(METRICS) and {one.type for one in families.values()} == {"gauge"}
    for name, (labels, said) in METRICS.items():
        assert families[name].documentation == said
        assert all(set(one.labels) == {"release", *labels} for one in families[name].samples)
    lines = [one for one in words.splitlines() if not one.startswith("#")]
    assert 'check="odd\\"\\n\\\\",group="host",status="fail"} 1' in words
    assert all(float(one.rsplit(" ", 1)[1]) >= 0 and one.startswith("dsdeploy_") for one in lines)
    assert 'dsdeploy_speed_output_tokens_per_second{release="default",at_once="2"}' in words


def test_two_broken_checkers_void_no_scrape():
    words = prometheus_text(checked(finding("fail", BROKE), finding("fail", BROKE)).data)
    samples = [one.rsplit(" ", 1)[0] for one in words.splitlines() if not one.startswith("#")]
    assert len(samples) == len(set(samples))


def test_an_interval_holds_the_true_median_as_often_as_it_says():
    draws = random.Random(7)
    hits = 0
    for _ in range(400):
        seen = spread([draws.expovariate(1) for _ in range(40)], 50)
        assert seen.low <= seen.value <= seen.high
        hits += seen.low <= 0.6931 <= seen.high
    assert hits / 400 > 0.92
    assert spread([1.0], 50).low == spread([1.0], 50).high == 1.0
    many = [float(one) for one in range(3000)]
    assert spread(many, 50).low < percentile(many, 50) < spread(many, 50).high


def test_a_log_is_read_on_from_the_file_it_was_rotated_to(tmp_path):
    log = tmp_path / "engine.log"
    assert list(tail_lines(log, 5)) == []
    (tmp_path / "engine.log.1").write_text("1\n2\n3\n")
    log.write_text("4\n5")
    assert list(tail_lines(log, 4)) == ["2", "3", "4", "5"]


def test_logs_are_set_aside_in_order_and_forgotten_by_number_and_age(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "LOG_BYTES", 10)
    monkeypatch.setattr(supervisor, "LOG_FILES", 4)
    log = tmp_path / "engine.log"
    supervisor.keep_log_small(log, 30)
    with log.open("ab") as engine:  # as an engine holds it
        for number in range(5):
            engine.write(b"start %d of the engine\n" % number)
            engine.flush()
            supervisor.keep_log_small(log, 30)
    assert log.read_bytes() == b"" and [one.name for one in sorted(tmp_path.iterdir())] == [
        "engine.log", "engine.log.1", "engine.log.2", "engine.log.3",
    ]  # fmt: skip
    assert (tmp_path / "engine.log.1").read_text() == "start 4 of the engine\n"
    assert (tmp_path / "engine.log.3").read_text() == "start 2 of the engine\n"
    log.write_text("a long time later\n")
    supervisor.keep_log_small(log, 30, time.time() + 31 * 86400)
    assert [one.name for one in tmp_path.iterdir()] == ["engine.log"]


def test_every_check_has_a_planted_fault_and_the_table_of_them_is_up_to_date():
    from tests.faults.table import PAGES, planted, render

    assert set(planted()) == set(check_facts())
    for language, path in PAGES.items():
        assert path.read_text(encoding="utf-8") == render(language), f"run python -m tests.faults.table ({path})"
