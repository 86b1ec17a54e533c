"""A plan's file is the plan; an edit that it does not bear is found, and what two plans differ in is listed."""

from dataclasses import replace

import pytest

from dsdeploy.core.errors import PlanDoesNotHold
from dsdeploy.stages.plan import choose_plan, load_plan, plan_differences, save_plan, verify_plan
from tests.unit.plan.fleets import bought, wants


def test_a_plan_survives_its_file_and_holds_until_it_is_edited(tmp_path):
    hardware = bought("h20-96gb", 8, 2)
    plan = choose_plan(wants(users=40), hardware)
    save_plan(plan, tmp_path / "plan.yaml")
    assert load_plan(tmp_path / "plan.yaml") == plan
    verify_plan(plan, hardware)
    d = plan.deployment
    for edited in (
        replace(plan, weights_bytes=1),
        replace(plan, weights_repo="somebody/else"),
        replace(plan, deployment=replace(d, max_num_seqs=4096)),
        replace(plan, deployment=replace(d, replicas=d.replicas + 7)),
        replace(plan, device_memory=replace(plan.device_memory, kv_cache_tokens=10**9)),
        replace(plan, request=replace(plan.request, users=40_000)),
    ):
        with pytest.raises(PlanDoesNotHold):
            verify_plan(edited, hardware)
    with pytest.raises(PlanDoesNotHold):
        verify_plan(plan, bought("l20"))


def test_what_two_plans_say_differently_is_listed_by_place():
    one = choose_plan(wants(users=8), bought("h20-96gb"))
    assert plan_differences(one, one) == ()
    other = choose_plan(wants(users=16), bought("h20-96gb"))
    found = {difference.place: (difference.old, difference.new) for difference in plan_differences(one, other)}
    assert found["request.users"] == (8, 16)
