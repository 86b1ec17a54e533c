"""`dsdeploy cost` and `dsdeploy plan --report`, as a user runs them."""

import json

import pytest

from tests.program import run

BUY = ("--accelerator", "h20-96gb", "--count", "8", "--users", "100", "--workload", "office-assistant")
ASK = ("plan", *BUY, "--context", "8192")


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planned")
    done = run(*ASK, "--out", str(folder / "plan.yaml"), "--report", str(folder / "plan.html"))
    assert done.returncode == 0, done.stderr
    return folder


def test_a_plan_is_priced_and_its_parts_add_up(planned):
    data = json.loads(run("cost", str(planned / "plan.yaml"), "--json").stdout)["data"]
    parts = sum(term["per_month"]["expected"] for term in data["terms"])
    assert data["currency"] == "CNY" and data["missing"] == []
    assert parts == pytest.approx(data["per_month"]["expected"])
    assert [one["model"] for one in data["api"]] == ["deepseek-flash", "deepseek-v4-pro"]
    assert any("our assumption" in one for one in data["assumptions"])


def test_the_table_speaks_the_readers_language(planned):
    shown = run("cost", str(planned / "plan.yaml"), "--lang", "zh", "--region", "us")
    assert shown.returncode == 0 and "每月合计" in shown.stdout and "USD" in shown.stdout


def test_without_a_volume_no_price_of_a_million_tokens_is_shown(planned, tmp_path):
    assert "Per million output tokens, used to" in run("cost", str(planned / "plan.yaml")).stdout
    assert run("plan", "--model", "smoke", "--out", str(tmp_path / "plan.yaml")).returncode == 0
    shown = run("cost", str(tmp_path / "plan.yaml")).stdout
    assert "Per month" in shown and "No volume follows" in shown and "million output tokens" not in shown


def test_the_report_draws_the_speed_of_the_plans_own_deployment(planned):
    page = (planned / "plan.html").read_text(encoding="utf-8")
    assert 'aria-label="Throughput against requests at once, with its band"' in page
    assert 'aria-label="Quality against cost"' in page


def test_own_prices_change_the_cost_and_a_wrong_key_is_named(planned, tmp_path):
    prices = tmp_path / "prices.yaml"
    prices.write_text("regions: {cn: {salary_per_year: 0}}\n")
    data = json.loads(run("cost", str(planned / "plan.yaml"), "--prices", str(prices), "--json").stdout)["data"]
    assert next(term for term in data["terms"] if term["name"] == "staff")["per_month"]["expected"] == 0
    prices.write_text("regiosn: {}\n")
    refused = run("cost", str(planned / "plan.yaml"), "--prices", str(prices))
    assert refused.returncode == 2 and "nearest is regions" in refused.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--report", "plan.pdf"), "UnknownReport"),
        (("--region", "uk"), "InvalidRequest"),
        (("--report", "/nowhere/plan.html"), "ReportNotWritable"),
        (("--report", "plan.html", "--region", "uk"), "InvalidRequest"),
        (("--report", "plan.html", "--prices", "/nowhere.yaml"), "PricesUnreadable"),
    ],
)
def test_a_report_that_cannot_be_is_refused_by_name(words, code):
    done = run(*ASK, *words, "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["errors"][0]["code"] == code


def test_months_below_one_are_refused(planned):
    assert run("cost", str(planned / "plan.yaml"), "--months", "0").returncode == 2
