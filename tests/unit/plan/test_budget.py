"""A sum of money instead of hardware."""

import pytest

from dsdeploy.core.cost import load_prices, override_prices
from dsdeploy.core.cost.of_plan import planned_cost
from dsdeploy.core.errors import InvalidRequest
from dsdeploy.core.plan import Request
from dsdeploy.stages.plan import choose_plan, pools_within
from tests.program import run

WANTED = Request(None, 300, 16384, "auto", workload="dispatch-support")


def test_what_is_planned_costs_no_more_than_the_budget():
    for budget, region in ((2_000_000, "cn"), (6_000_000, "cn"), (200_000, "us")):
        plan = choose_plan(WANTED, pools_within(budget, load_prices(), region, None, None))
        assert 0 < planned_cost(plan, load_prices(), region=region).outlay.expected <= budget


def test_in_china_only_what_may_be_sold_there_unless_it_is_named():
    here = {one.spec.id for one in pools_within(10_000_000, load_prices(), "cn", None, None).pools}
    there = {one.spec.id for one in pools_within(10_000_000, load_prices(), "us", None, None).pools}
    assert here == {"h20-96gb", "ascend-910b3"} and {"h200-141gb", "b200"} < there
    named = pools_within(10_000_000, load_prices(), "cn", "NVIDIA H200", None)
    assert [one.spec.id for one in named.pools] == ["h200-141gb"]


def test_a_small_sum_buys_fewer_cards_and_a_smaller_one_nothing():
    prices = override_prices({"accelerators": {"l40s": {"purchase": {"expected": 60000, "unit": "CNY"}}}})
    (pool,) = pools_within(650_000, prices, "cn", "L40S", None).pools
    assert (pool.devices, pool.nodes) == (4, 1)
    with pytest.raises(InvalidRequest, match="plan-budget-small"):
        pools_within(1000, prices, "cn", "L40S", None)
    with pytest.raises(InvalidRequest, match="plan-budget-unpriced"):
        pools_within(1000, prices, "cn", "RTX 4090", None)


@pytest.mark.parametrize("words", [("--count", "3"), ("--hardware", "x.json"), ()])
def test_a_budget_that_cannot_be_is_a_named_error(words):
    r = run("--lang", "en", "plan", "--budget", "100" if words else "-4", *words)
    assert r.returncode == 2 and "UsageError" in r.stderr and "--budget" in r.stderr and "----" not in r.stderr
