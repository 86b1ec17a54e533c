"""No field of a plan can be edited unnoticed, but for those that are the user's own or that nothing follows from."""

import copy
from dataclasses import replace
from typing import Any

import pytest

from dsdeploy.core.documents import from_document, to_document
from dsdeploy.core.errors import DsdeployError, PlanDoesNotHold
from dsdeploy.core.plan import Plan
from dsdeploy.stages.plan import choose_plan, verify_plan
from dsdeploy.stages.plan.agreement import RECORDS
from tests.unit.plan.fleets import bought, fleet, node, wants
from tests.unit.plan.test_cpu import machine

FREE = {
    **dict.fromkeys(RECORDS, "a record of the search, or money"),
    "request.host": "where to listen is the user's own affair",
    "request.port": "as is the port",
    "request.target": "and the target",
    "request.aim": "only ranks candidates, and one is chosen",
    "request.min_quality": "any limit that the model keeps",
    "request.max_first_token_s": "likewise",
    "request.min_tokens_per_s": "likewise",
    "request.replicas": "one as there are may be asked for",
    "hardware_asked_at": "another time is taken for another profile of the same machines",
}
UNTIMED = {"request.prompt_tokens": "no speed is predicted for a processor", "request.output_tokens": "likewise"}
OF_PLAN = {
    "workload": {"request.users": "where no more ask at once"},
    "processor": UNTIMED,
    "small": UNTIMED,
}
FLEET = fleet(node("a", 8), node("b", 8), node("c", 8))
PLANS = {
    "cards": (wants(users=40), bought("h20-141gb", 8, 2)),
    "fleet": (wants(users=40), FLEET),
    "workload": (wants(users=60, workload="office-assistant", industry="energy"), FLEET),
    "busy": (wants("deepseek-r1-distill-qwen-32b", users=4), fleet(node("d", 4, used_gib=0.0), node("e", 2))),
    "processor": (wants(users=1, context=4096), machine(16)),
    "small": (wants("smoke", users=2, context=4096), machine(16)),
}


def leaves(value: Any, place: tuple[str | int, ...] = ()):
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from leaves(one, (*place, key))
    elif isinstance(value, list) and value:
        for index, one in enumerate(value):
            yield from leaves(one, (*place, index))
    else:
        yield place, value


def edits(value: Any) -> tuple[Any, ...]:
    """Values of its own kind that a hand might put there; of what is unset, those of any kind."""
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int):
        return (value + 1, value * 2 + 7)
    if isinstance(value, float):
        return (value * 1.5 + 1,)
    if isinstance(value, str):
        return (value + "x", "")
    return (1, 1.5, "x", ["x"]) if value is None or value == [] else ()


@pytest.mark.parametrize("name", PLANS)
def test_every_field_is_judged_or_is_free(name):
    request, hardware = PLANS[name]
    plan = choose_plan(request, hardware)
    verify_plan(plan, hardware)
    document = to_document(plan)
    passed = set()
    for place, value in leaves(document):
        for edit in edits(value):
            changed = copy.deepcopy(document)
            inner = changed
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = edit
            try:
                edited = from_document(Plan, changed)
            except ValueError:
                continue  # refused by the file's own form
            if edited == plan:
                continue
            try:
                verify_plan(edited, hardware)
            except DsdeployError:
                continue
            passed.add(".".join(str(one) for one in place if isinstance(one, str)))
    free = {**FREE, **OF_PLAN.get(name, {})}
    assert [one for one in passed if not any(one == each or one.startswith(f"{each}.") for each in free)] == []


def test_each_field_that_differs_is_named_with_both_values():
    request, hardware = PLANS["fleet"]
    plan = choose_plan(request, hardware)
    edited = replace(plan, licences=("weights: none",), device_memory=replace(plan.device_memory, kv_cache_tokens=5))
    with pytest.raises(PlanDoesNotHold) as caught:
        verify_plan(edited, hardware)
    for language in ("en", "zh"):
        said = caught.value.message.render(language).splitlines()
        assert len(said) == 2 and "device_memory.kv_cache_tokens" in said[0] and "5" in said[0]
        assert "weights: none" in said[1] and plan.licences[0] in said[1]


def test_a_plan_may_be_moved_to_other_machines_of_its_kind():
    plan = choose_plan(wants("deepseek-r1-distill-qwen-32b", users=4), FLEET)
    others = tuple(one.name for one in FLEET.machines if one.name not in plan.hosts)
    verify_plan(replace(plan, hosts=others[: len(plan.hosts)]), FLEET)
    for hosts in ((), ("nobody",), (*plan.hosts, *others)):
        with pytest.raises(PlanDoesNotHold):
            verify_plan(replace(plan, hosts=hosts), FLEET)


def test_on_another_profile_of_the_place_what_was_found_there_is_not_held_against_it():
    request, _ = PLANS["fleet"]
    plan = choose_plan(request, FLEET)
    later = replace(plan, hardware_asked_at="2026-01-02T03:04:05+00:00", disk_path="/elsewhere", warnings=())
    verify_plan(later, FLEET)
