from dataclasses import fields

import pytest

from dsdeploy.adapters.prices import read_prices
from dsdeploy.core.accelerators import accelerators
from dsdeploy.core.cost import load_prices, override_prices
from dsdeploy.core.cost.values import Figure, Prices
from dsdeploy.core.errors import PricesUnreadable


def _figures(prices: Prices) -> list[Figure]:
    found = [getattr(prices, one.name) for one in fields(prices)]
    found += [getattr(region, one.name) for region in prices.regions.values() for one in fields(region)]
    found += [getattr(price, one.name) for price in prices.accelerators.values() for one in fields(price)]
    return [one for one in found if isinstance(one, Figure)]


def test_every_figure_is_dated_sourced_and_ordered_by_cost():
    prices = load_prices()
    for figure in _figures(prices):
        assert figure.date and figure.source in prices.sources, figure
        assert figure.low <= figure.expected <= figure.high or figure.low >= figure.expected >= figure.high
    for one in prices.api:
        assert one.date and one.since and one.source in prices.sources
    assert set(prices.accelerators) <= {spec.id for spec in accelerators()} | {"cpu"}


def test_a_users_file_changes_only_what_it_names(tmp_path):
    file = tmp_path / "prices.yaml"
    file.write_text(
        "pue: 1.25\n"
        "regions: {cn: {power_per_kwh: {low: 0.3, expected: 0.42, high: 0.5}}}\n"
        "accelerators:\n"
        "  metax-c500: {purchase: {expected: 60000, unit: CNY}, power_w: 350}\n"
        "  h20-96gb: {purchase: 900000}\n"
        "api: {deepseek-flash: {off_peak: {CNY: {output: 5}}}}\n"
    )
    ours, own = load_prices(), read_prices(file)
    assert own.pue == Figure(1.25, 1.25, 1.25, "", "", "own")
    assert own.regions["cn"].power_per_kwh.high == 0.5
    assert own.regions["cn"].salary_per_year == ours.regions["cn"].salary_per_year
    assert own.accelerators["metax-c500"].purchase.expected == 60_000
    assert own.accelerators["h20-96gb"].purchase.unit == "CNY"
    assert own.accelerators["h20-96gb"].purchase_devices == 8
    assert own.api[0].off_peak["CNY"].output == 5
    assert own.api[0].off_peak["USD"] == ours.api[0].off_peak["USD"]
    assert load_prices() is ours and ours.pue.expected == 1.54


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("pui: 1.2", "pui: unknown key; nearest is pue"),
        ("accelerators: {h20: {purchase: 1}}", "accelerators.h20: unknown key; nearest is"),
        ("accelerators: {h20-96gb: {price: 1}}", "accelerators.h20-96gb.price: unknown key"),
        ("accelerators: {metax-c500: {purchase: 1}}", "accelerators.metax-c500.purchase.unit: expected CNY / USD"),
        ("pue: -1", "pue: expected a number"),
        ("pue: .nan", "pue: expected a number"),
        ("pue: {expcted: 1}", "pue.expcted: unknown key; nearest is expected"),
        ("pue: {low: 1}", "pue.expected: missing"),
        ("depreciation_years: 0", "depreciation_years: cannot be 0"),
        ("pue: {low: 3, expected: 2, high: 4}", "pue: expected 2 is not between 3 and 4"),
        ("regions: 3", "regions: expected a mapping"),
        ("- 1", "expected a mapping"),
        ("pue: [", "line 1"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path, words, said):
    file = tmp_path / "prices.yaml"
    file.write_text(words)
    with pytest.raises(PricesUnreadable) as raised:
        read_prices(file)
    assert said in raised.value.message.render("en")


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("missing", "binary"):
        with pytest.raises(PricesUnreadable):
            read_prices(tmp_path / name)


def test_without_a_file_the_data_stands():
    assert read_prices(None) is load_prices()
    assert override_prices({}) == load_prices()
