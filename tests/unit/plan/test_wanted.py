"""A request is put together from flags, any part of a file, and what follows from them."""

import pytest

from dsdeploy.core.errors import RequestUnreadable, UnknownWorkload
from dsdeploy.core.workloads import workloads
from dsdeploy.stages.plan import choose_plan, load_request
from dsdeploy.stages.plan.wanted import Wanted
from tests.unit.plan.fleets import bought, codes, wants

HEAD = "apiVersion: dsdeploy/v1\nkind: Request\n"


@pytest.mark.parametrize("work", workloads(), ids=lambda one: one.id)
def test_a_workload_brings_the_context_of_its_long_requests(work):
    request = Wanted({"workload": work.id}).over({})
    assert 0 <= request.context_tokens - (work.prompt_tokens.p95 + work.output_tokens.p95) < 4096
    assert Wanted({"workload": work.id, "context_tokens": 2048}).over({}).context_tokens == 2048
    assert Wanted({"workload": work.id, "prompt_tokens": 60_000}).over({}).context_tokens > 60_000


def test_a_context_too_short_for_the_workload_is_told():
    asked = wants(None, 60, 8192, workload="document-review")
    assert "plan-context-short" in codes(choose_plan(asked, bought("h20-141gb")))
    assert "plan-context-holds" in codes(choose_plan(Wanted({"workload": "coding"}).over({}), bought("h20-141gb")))


def test_a_file_holds_any_part_and_flags_go_before_it(tmp_path):
    path = tmp_path / "request.yaml"
    path.write_text(HEAD + "users: 40\nworkload: coding\n")
    request = Wanted({"users": 50, "aim": "cost", "port": None}).over(load_request(path))
    assert (request.users, request.workload, request.aim, request.port) == (50, "coding", "cost", 8080)
    path.write_text(HEAD)
    assert Wanted().over(load_request(path)) == Wanted().over({})
    path.write_text(HEAD + "wrkload: coding\n")
    with pytest.raises(RequestUnreadable) as caught:
        load_request(path)
    assert "wrkload" in caught.value.message.render("en") and "workload" in caught.value.message.render("zh")
    with pytest.raises(UnknownWorkload):
        Wanted().over({"workload": "codng"})
