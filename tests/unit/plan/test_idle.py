"""What a plan leaves unused, and planning on it."""

from dataclasses import replace

import pytest

from dsdeploy.core.cost import load_prices
from dsdeploy.core.cost.of_plan import planned_cost, service_of
from dsdeploy.core.errors import InvalidRequest
from dsdeploy.core.fleet import Node
from dsdeploy.core.machines import Accelerator, Health, Slice
from dsdeploy.core.plan import Request
from dsdeploy.stages.plan import choose_plan, left_by, load_plan, save_plan
from dsdeploy.stages.profile import save_profile
from tests.program import run, run_json
from tests.unit.plan.fleets import GIB, fleet, node

MIXED = fleet(node("h20-a", 8), node("h20-b", 8), node("l40s-a", 8, "NVIDIA L40S", 45), node("t4-a", 1, "Tesla T4", 15))
WANTED = Request(None, 300, 16384, "auto", workload="dispatch-support")


def test_other_kinds_and_machines_of_the_same_kind_are_named_with_what_they_could_serve(tmp_path):
    plan = choose_plan(replace(WANTED, users=200, model_id="deepseek-v4-flash-0731"), MIXED)
    assert plan.hosts == ("h20-a",)
    idle = {one.hosts: one for one in plan.idle}
    assert set(idle) == {("h20-b",), ("l40s-a",), ("t4-a",)}
    assert idle[("h20-b",)].best.model_id == "deepseek-v4-flash-0731"
    assert idle[("t4-a",)].best is None and idle[("t4-a",)].devices_per_node == 1
    path = tmp_path / "plan.yaml"
    save_plan(plan, path)
    assert load_plan(path).idle == plan.idle


def test_a_second_plan_stands_beside_the_first_and_gets_what_was_promised():
    first = choose_plan(WANTED, MIXED)
    promised = next(one for one in first.idle if one.hosts == ("l40s-a",)).best
    only = fleet(*(one for one in MIXED.machines if one.name in (*first.hosts, "l40s-a")))
    second = choose_plan(WANTED, left_by((first,), only))
    assert second.hosts == ("l40s-a",) and not set(second.hosts) & set(first.hosts)
    assert (second.model_id, second.format, second.engine) == (promised.model_id, promised.format, promised.engine)
    with pytest.raises(InvalidRequest, match="plan-beside-full"):
        left_by((first, second), only)
    with pytest.raises(InvalidRequest, match="plan-beside-elsewhere"):
        left_by((first,), fleet(node("other", 8)))


def test_beside_on_the_command_line(tmp_path):
    save_profile(fleet(node("h20-a", 8), node("l40s-a", 8, "NVIDIA L40S", 45)), tmp_path / "fleet.json")
    words = ("plan", "--hardware", str(tmp_path / "fleet.json"), "--workload", "dispatch-support", "--users", "300")
    first = run("--lang", "zh", *words, "--out", str(tmp_path / "a.yaml"))
    assert "闲置机器" in first.stdout and "--beside" in first.stdout
    second = run_json(*words, "--beside", str(tmp_path / "a.yaml"))
    assert second["data"]["hosts"] == ["l40s-a"] and second["data"]["idle"] == []
    beside, where = ("--beside", str(tmp_path / "a.yaml")), ("--hardware", str(tmp_path / "fleet.json"))
    assert run(*words, *beside, "--out", str(tmp_path / "b.yaml")).returncode == 0
    for plan, more in (("a", ()), ("b", beside)):
        r = run("plan", "--verify", str(tmp_path / f"{plan}.yaml"), *where, *more)
        assert r.returncode == 0, r.stderr
    bought = run("--lang", "en", "plan", "--accelerator", "NVIDIA H20", "--beside", str(tmp_path / "a.yaml"))
    assert bought.returncode == 2 and "--hardware" in bought.stderr


def test_devices_that_were_left_out_are_not_counted_into():
    ill = node("a", 8)
    broken = replace(ill.profile.accelerators[0], health=Health(ecc_uncorrected=3))
    devices = (broken, *ill.profile.accelerators[1:])
    one = replace(ill, profile=replace(ill.profile, accelerators=devices))
    assert choose_plan(Request("deepseek-r1-distill-qwen-32b", 4, 8192, "auto"), fleet(one)).device_indices == (
        (1, 2, 3, 4, 5, 6, 7),
    )
    assert choose_plan(Request("deepseek-r1-distill-qwen-32b", 4, 8192, "auto"), fleet(ill)).device_indices == ()


def test_mig_instances_are_priced_as_the_cards_that_hold_them():
    pieces = (Slice("3g.48gb", 47 * GIB),) * 2
    plan = choose_plan(Request("deepseek-r1-distill-qwen-32b", 40, 8192, "auto"), fleet(node("cut", 4, slices=pieces)))
    d = plan.deployment
    assert (d.slice, d.slices_per_card, d.resource) == ("3g.48gb", 2, None)
    assert service_of(plan, load_prices()).devices == d.cards == (d.replicas + 1) // 2


def test_a_cluster_offers_instances_under_a_resource_of_their_own():
    instance = Accelerator("nvidia", "NVIDIA H20", 0, 95 * GIB, None, None, None, slices=(Slice("3g.48gb", 47 * GIB),))
    machine = node("cut", 1)
    profile = replace(machine.profile, accelerators=(instance, replace(instance, index=1)))
    mixed = Node(True, True, (), {"nvidia.com/mig-3g.48gb": "2"}, {})
    plan = choose_plan(
        Request("deepseek-r1-distill-qwen-32b", 4, 8192, "auto"), fleet(replace(machine, profile=profile, node=mixed))
    )
    assert plan.deployment.resource == "nvidia.com/mig-3g.48gb" and plan.deployment.slices_per_card == 2


def test_a_cost_is_told_in_the_region_s_currency_or_what_is_missing():
    plan = choose_plan(WANTED, fleet(node("a", 8)))
    china, states = (planned_cost(plan, load_prices(), region=region) for region in ("cn", "us"))
    assert (china.currency, states.currency) == ("CNY", "USD")
    assert china.per_month.low < china.per_month.expected < china.per_month.high and china.missing == ()
    assert china.per_million_at_capacity.expected < china.per_million_output_tokens.expected
    unknown = planned_cost(choose_plan(WANTED, fleet(node("a", 8, "NVIDIA L40S", 45))), load_prices())
    assert unknown.per_month is None and unknown.missing == ("accelerators.l40s.purchase",)


def test_a_cost_on_the_command_line_uses_the_prices_that_were_given(tmp_path):
    own = tmp_path / "prices.yaml"
    own.write_text("accelerators:\n  l40s:\n    purchase: {expected: 60000, unit: CNY}\n", encoding="utf-8")
    words = ("plan", "--accelerator", "L40S", "--count", "8", "--users", "8")
    assert "accelerators.l40s.purchase" in run("--lang", "en", *words).stdout
    assert run_json(*words, "--prices", str(own))["data"]["cost"]["per_month"]["expected"] > 0
    assert run("--lang", "en", *words, "--region", "moon").returncode == 2
