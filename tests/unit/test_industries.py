from dataclasses import fields, replace

import pytest

from dsdeploy.core.errors import UnknownIndustry
from dsdeploy.core.industries import Settings, find_industry, industries
from dsdeploy.stages.plan import choose_plan
from tests.unit.plan.fleets import bought, wants


@pytest.mark.parametrize("one", industries(), ids=lambda one: one.id)
def test_every_setting_names_the_rule_it_follows_from(one):
    assert find_industry(one.id) is one
    assert set(one.title) == {"en", "zh"}
    assert set(one.rules) == {field.name for field in fields(Settings)}
    for rules in (*one.rules.values(), one.controls):
        assert rules and all(rule.words["en"] and rule.words["zh"] for rule in rules)
        assert all(rule.where for rule in rules if rule.id != "default")
    assert all(rule.id != "default" for rule in one.controls)


@pytest.mark.parametrize("one", industries(), ids=lambda one: one.id)
def test_no_industry_is_less_closed_than_the_general_one(one):
    general = find_industry("general").settings
    assert one.settings.tls and one.settings.audit_log and one.settings.signed_bundle and one.settings.offline
    assert not one.settings.prompt_logging
    assert one.settings.log_retention_days >= general.log_retention_days
    assert set(one.settings.digests) >= set(general.digests)


def test_an_unknown_industry_names_the_nearest():
    with pytest.raises(UnknownIndustry) as raised:
        find_industry("enery")
    assert "energy" in raised.value.hint.render("en")


ASKED = (
    "plan-client-certificates-compose", "plan-client-certificates-kubernetes", "plan-sm2-signature", "plan-logs-kept",
    "plan-no-audit-log",
)  # fmt: skip


@pytest.mark.parametrize(
    ("industry", "target", "told"),
    [
        ("general", "compose", []),
        ("telecom", "compose", ["plan-logs-kept"]),
        ("energy", "compose", ["plan-client-certificates-compose", "plan-sm2-signature", "plan-logs-kept"]),
        ("finance", "kubernetes", ["plan-client-certificates-kubernetes", "plan-sm2-signature", "plan-logs-kept"]),
    ],
)
def test_what_an_industry_asks_and_only_the_site_can_do_is_told(industry, target, told):
    plan = choose_plan(replace(wants("deepseek-r1", industry=industry), target=target), bought("h20-141gb"))
    assert [one.code for one in plan.warnings if one.code in ASKED] == told
    days = [one.values["days"] for one in plan.warnings if one.code == "plan-logs-kept"]
    assert all(one == str(find_industry(industry).settings.log_retention_days) for one in days)
