from dataclasses import fields

import pytest

from dsdeploy.core.errors import UnknownIndustry
from dsdeploy.core.industries import Settings, find_industry, industries


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
