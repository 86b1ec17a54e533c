from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsdeploy.core.accelerators import find_accelerator
from dsdeploy.core.band import Band
from dsdeploy.core.cost import Service, convert, load_prices, predict_cost, requests_per_month
from dsdeploy.core.cost.api import api_per_request
from dsdeploy.core.errors import InvalidRequest

PRICES = load_prices()
SPEED = Band(1_500.0, 2_500.0, 3_500.0)
H20 = Service("h20-96gb", 8, 1, SPEED, 6_000, 1_500, 0.6, 300_000)
SERVICES = st.builds(
    lambda accelerator, region, devices, prompt, output, share, requests: Service(
        accelerator, devices, 1, SPEED, prompt, output, share, requests, region=region
    ),
    st.sampled_from(["h20-96gb", "h100-sxm5-80gb", "a100-sxm4-80gb"]),
    st.sampled_from(["cn", "us"]),
    st.integers(1, 64),
    st.floats(1, 1e5),
    st.floats(1, 1e5),
    st.floats(0, 1),
    st.floats(1, 1e7),
)


@given(SERVICES, st.floats(1, 10))
def test_more_requests_are_never_cheaper_in_total(service, factor):
    less, more = (predict_cost(one, PRICES) for one in (service, _asked_more(service, factor)))
    assert less.total.expected <= more.total.expected
    for few, many in zip(less.api, more.api, strict=True):
        assert few.per_month <= many.per_month
    assert less.per_million_output_tokens.expected >= more.per_million_output_tokens.expected * (1 - 1e-9)


@given(SERVICES)
def test_at_the_break_even_volume_both_cost_the_same(service):
    cost = predict_cost(service, PRICES)
    for one in cost.api:
        requests = one.break_even_tokens_per_month / (service.prompt_tokens + service.output_tokens)
        same = predict_cost(replace(service, requests_per_month=requests), PRICES)
        there = next(other for other in same.api if other.model == one.model)
        assert there.per_month == pytest.approx(same.per_month.expected, rel=1e-9)


@given(SERVICES)
def test_low_is_cheaper_than_expected_and_expected_than_high(service):
    cost = predict_cost(service, PRICES)
    for band in (cost.per_month, cost.outlay, cost.total, cost.per_million_at_capacity):
        assert band.low <= band.expected <= band.high
    assert sum(term.per_month.expected for term in cost.terms) == pytest.approx(cost.per_month.expected)


@given(SERVICES)
def test_the_outlay_comes_back_in_the_month_that_is_named(service):
    cost = predict_cost(service, PRICES)
    running = cost.per_month.expected - next(t.per_month.expected for t in cost.terms if t.name == "hardware")
    for one in cost.api:
        life = PRICES.depreciation_years.expected * 12
        if one.break_even_month is None:
            assert (one.per_month - running) * life <= cost.outlay.expected * (1 + 1e-9)
        else:
            assert (one.per_month - running) * one.break_even_month >= cost.outlay.expected * (1 - 1e-9)
            assert (one.per_month - running) * (one.break_even_month - 1) <= cost.outlay.expected


@given(st.floats(0, 1e9), st.sampled_from(["CNY", "USD"]))
def test_currency_there_and_back(amount, currency):
    other = {"CNY": "USD", "USD": "CNY"}[currency]
    assert convert(convert(amount, currency, other, 6.66), other, currency, 6.66) == pytest.approx(amount)
    with pytest.raises(ValueError):
        convert(amount, currency, "EUR", 6.66)


def test_one_request_of_the_published_list_by_hand():
    flash = next(one for one in PRICES.api if one.model == "deepseek-flash")
    # 3,600 tokens at 0.02, 2,400 at 1 and 1,500 at 4 CNY a million; 78 % of the requests at twice that
    assert api_per_request(flash, H20, PRICES) == pytest.approx((72 + 2_400 + 6_000) / 1e6 * 1.78)


def test_the_tornado_is_widest_first_and_moves_each_way():
    swings = predict_cost(H20, PRICES).sensitivity
    widths = [abs(one.at_more - one.at_less) for one in swings]
    assert widths == sorted(widths, reverse=True)
    by_name = {one.name: one for one in swings}
    assert by_name["purchase"].at_less < by_name["purchase"].at_more
    assert by_name["api"].at_less > by_name["api"].at_more
    assert "rent" not in by_name


def test_rent_stands_in_for_what_an_owner_pays():
    cost = predict_cost(replace(H20, rented=True), PRICES)
    assert [term.name for term in cost.terms] == ["rent", "staff"]
    assert cost.outlay.expected == 0
    assert cost.terms[0].per_month.expected == pytest.approx(7.5 * 8 * 730)


def test_a_missing_price_is_named_with_the_key_to_give_it_under():
    cost = predict_cost(replace(H20, accelerator="metax-c500"), PRICES)
    assert cost.per_month is None and cost.total is None and cost.sensitivity == ()
    assert [one.break_even_tokens_per_month for one in cost.api] == [None, None]
    assert [term.name for term in cost.terms if term.per_month] == ["power", "floor", "staff"]
    assert "accelerators.metax-c500.purchase" in cost.missing[0].render("en")


def test_unknown_power_is_named_too():
    assert find_accelerator("ascend-910b3").power_w is None
    missing = predict_cost(replace(H20, accelerator="ascend-910b3"), PRICES).missing
    assert [one.values["key"] for one in missing] == ["accelerators.ascend-910b3.power_w"]


def test_a_server_without_accelerators_is_priced_whole():
    cost = predict_cost(Service("cpu", 1, 1, None, 1_024, 512, 0, 0, region="us"), PRICES)
    assert cost.outlay.expected == PRICES.accelerators["cpu"].purchase.expected
    kwh = 0.5 * PRICES.load_share.expected * PRICES.pue.expected * 730
    power = next(term.per_month.expected for term in cost.terms if term.name == "power")
    assert power == pytest.approx(kwh * PRICES.regions["us"].power_per_kwh.expected)
    assert [one.id for one in cost.warnings] == ["cost-no-volume"]
    assert not any("Server without" in one.render("en") for one in cost.assumptions)


def test_more_than_the_service_delivers_is_said():
    assert predict_cost(H20, PRICES).warnings == ()
    busy = predict_cost(replace(H20, requests_per_month=1e7), PRICES)
    assert busy.utilisation > 1
    assert busy.warnings[0].id == "cost-over-capacity"


@pytest.mark.parametrize(
    ("wrong", "near"), [({"region": "uk"}, "us"), ({"api_model": "deepseek-v4"}, "deepseek-v4-pro")]
)
def test_an_unknown_region_or_model_names_the_nearest(wrong, near):
    with pytest.raises(InvalidRequest) as raised:
        predict_cost(replace(H20, **wrong), PRICES)
    assert near in raised.value.hint.render("en")


def test_every_assumption_is_said_in_both_languages():
    cost = predict_cost(H20, PRICES)
    for language in ("en", "zh"):
        words = [one.render(language) for one in cost.assumptions]
        assert any("1,200,000 (1,000,000 – 1,500,000) CNY / 8" in one for one in words)
        assert len(words) == len(set(words))


def test_a_months_requests_follow_from_its_peak_hours():
    assert requests_per_month(300, 10, PRICES) == 300 * 10 * PRICES.peak_hours_per_month.expected


def _asked_more(service: Service, factor: float) -> Service:
    return replace(service, requests_per_month=service.requests_per_month * factor)
