from dataclasses import replace
from itertools import pairwise

import pytest

from dsdeploy.core.catalogue import find_model, gguf_variants
from dsdeploy.core.errors import InvalidRequest, NoModelFits, PlanDoesNotHold, PlanUnreadable
from dsdeploy.core.texts import RULES
from dsdeploy.core.values import Disk, Profile, Request
from dsdeploy.stages.plan import choose_plan, compute_buffer_bytes, load_plan, save_plan, verify_plan
from dsdeploy.stages.profile import load_profile, save_profile

GIB = 2**30


def machine(memory_gib: float, disk_gib: float = 100) -> Profile:
    memory = int(memory_gib * GIB)
    disk = Disk("/", "ext4", int(disk_gib * GIB), int(disk_gib * GIB))
    return Profile("host", "Linux", None, 8, 4, 1, memory, memory, (disk,), (), ())


def test_a_roomy_machine_gets_the_best_and_a_small_one_less():
    best = choose_plan(Request(None, 1, 4096), machine(32))
    assert (best.model_id, best.format, best.rejected) == ("deepseek-r1-0528-qwen3-8b", "gguf-q8_0", ())
    small = choose_plan(Request(None, 1, 4096), machine(4))
    assert small.model_id == "deepseek-r1-distill-qwen-1.5b"
    assert {one.rule for one in small.rejected} == {"memory"}


def test_what_is_chosen_always_fits_and_more_memory_never_chooses_worse():
    order = [(one["model_id"], one["format"]) for one in gguf_variants()]
    places = []
    for memory_gib in range(3, 40):
        plan = choose_plan(Request(None, 2, 8192), machine(memory_gib))
        assert plan.memory.needed_bytes <= memory_gib * GIB
        places.append(order.index((plan.model_id, plan.format)))
    assert places == sorted(places, reverse=True) and len(set(places)) > 3


def test_more_context_never_needs_less():
    needs = [choose_plan(Request(None, 1, tokens), machine(64)).memory.needed_bytes for tokens in range(256, 9000, 300)]
    assert needs == sorted(needs)


def test_disk_context_and_memory_each_reject_by_name():
    with pytest.raises(NoModelFits) as caught:
        choose_plan(Request(None, 1, 4096), machine(64, disk_gib=1))
    assert caught.value.message.values["rule"] == RULES["disk"]
    with pytest.raises(NoModelFits) as caught:
        choose_plan(Request(None, 1, 200_000), machine(640))
    assert caught.value.message.values["rule"] == RULES["context"]
    with pytest.raises(NoModelFits) as caught:
        choose_plan(Request(None, 1, 4096), machine(1))
    assert caught.value.message.values["rule"] == RULES["memory"]


@pytest.mark.parametrize("request_", [Request(None, 0, 4096), Request(None, 1, -1), Request("deepseek-r1", 1, 4096)])
def test_an_absurd_request_is_named(request_):
    with pytest.raises(InvalidRequest):
        choose_plan(request_, machine(64))


def test_compute_buffer_of_the_7b_is_its_logits_residual_and_mask():
    assert compute_buffer_bytes(find_model("deepseek-r1-distill-qwen-7b")["architecture"], 0) == 304 * 2**20


def test_files_survive_the_round_trip(tmp_path):
    plan = choose_plan(Request(None, 2, 4096), machine(6))
    save_plan(plan, tmp_path / "plan.yaml")
    assert load_plan(tmp_path / "plan.yaml") == plan and plan.rejected
    save_profile(machine(6), tmp_path / "host.json")
    assert load_profile(tmp_path / "host.json") == machine(6)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("context_tokens:", "contxt_tokens:", "nearest is context_tokens"),
        ("dsdeploy/v1", "dsdeploy/v9", "apiVersion"),
        ("users: 1", "users: many", "users: expected a whole number"),
        ("users: 1", "users: -1", "negative"),
        ("  engine: llama.cpp\n", "", "deployment.engine: missing"),
        ("kind: Plan", "kind: [", ""),
        ("warnings: []", "warnings: [{code: loud}]", "loud"),
    ],
)
def test_a_spoilt_plan_names_the_place(tmp_path, old, new, said):
    path = tmp_path / "plan.yaml"
    save_plan(choose_plan(Request(None, 1, 4096), machine(8)), path)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(PlanUnreadable) as caught:
        load_plan(path)
    assert said in caught.value.message.render("en")


def test_a_refusal_is_wholly_in_the_readers_language():
    with pytest.raises(NoModelFits) as caught:
        choose_plan(Request(None, 1, 4096), machine(1))
    assert "内存" in caught.value.message.render("zh") and "memory" not in caught.value.message.render("zh")


def test_verify_finds_a_hand_edit_and_a_smaller_machine():
    plan = choose_plan(Request(None, 1, 4096), machine(16))
    verify_plan(plan, machine(16))
    with pytest.raises(PlanDoesNotHold):
        verify_plan(replace(plan, request=replace(plan.request, context_tokens=32768)), machine(16))
    with pytest.raises(PlanDoesNotHold):
        verify_plan(plan, machine(4))
    with pytest.raises(PlanDoesNotHold) as caught:
        verify_plan(replace(plan, engine_arguments=()), machine(16))
    assert caught.value.message.values["field"] == "engine_arguments"


def test_verify_refuses_absurd_numbers():
    plan = choose_plan(Request(None, 1, 4096), machine(16))
    with pytest.raises(InvalidRequest):
        verify_plan(replace(plan, request=replace(plan.request, users=0)), machine(16))


def test_the_engine_is_held_to_the_budget():
    words = choose_plan(Request(None, 3, 4000), machine(64)).engine_arguments
    given = dict(pairwise(words))
    assert (given["--ctx-size"], given["--parallel"], given["--cache-ram"]) == (str(3 * 4096), "3", "0")
    assert given["--fit"] == "off" and "--no-repack" in words


def test_a_processor_keeps_the_quality_format_and_engine_that_were_asked():
    with pytest.raises(NoModelFits) as caught:
        choose_plan(Request(None, 1, 4096, min_quality=70), machine(64))
    assert caught.value.message.values["rule"] == RULES["quality"]
    plan = choose_plan(Request(None, 1, 4096, format="gguf-q4_k_m", min_quality=40), machine(64))
    assert plan.format == "gguf-q4_k_m" and plan.quality.score >= 40
    with pytest.raises(InvalidRequest):
        choose_plan(Request(None, 1, 4096, engine="vllm"), machine(64))


def test_limits_of_speed_are_said_to_be_unjudged_on_a_processor():
    plan = choose_plan(Request(None, 1, 4096, max_first_token_s=1), machine(64))
    assert "warning-limits-unjudged" in {one.code for one in plan.warnings}


def test_a_process_is_told_what_its_industry_asks_and_it_cannot_keep():
    plan = choose_plan(Request("smoke", 1, 4096, industry="energy"), machine(64))
    assert [one.code for one in plan.warnings][-2:] == ["plan-sm2-signature", "plan-no-audit-log"]
    plan = choose_plan(Request("smoke", 1, 4096), machine(64))
    assert not {"plan-sm2-signature", "plan-no-audit-log"} & {one.code for one in plan.warnings}
