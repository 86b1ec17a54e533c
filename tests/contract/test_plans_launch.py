"""Whatever the planner chooses, its engine starts: for every accelerator of the catalogue."""

import pytest

from dsdeploy.adapters.engines import find_engine_adapter
from dsdeploy.core.accelerators import accelerators
from dsdeploy.core.deployment import Place
from dsdeploy.core.errors import NoModelFits
from dsdeploy.core.plan import Request
from dsdeploy.stages.plan import Pools, choose_plan, pool_to_buy

PLACE = Place("/weights", "m", "/run/secrets/keys", leader_address="10.0.0.1")
UNPLANNED = {"cambricon-mlu370-x8", "cambricon-mlu590", "kunlun-p800", "gaudi2", "gaudi3"}


@pytest.mark.parametrize("spec", accelerators(), ids=lambda one: one.id)
def test_what_is_planned_can_be_launched_and_the_rest_is_refused_by_name(spec):
    for count, model in ((8, None), (1, "deepseek-r1-distill-qwen-7b")):
        hardware = Pools((pool_to_buy(spec.id, count, 1, None, None),))
        try:
            plan = choose_plan(Request(model, 8, 8192, "auto"), hardware)
        except NoModelFits as error:
            assert error.message.render("zh") and (spec.id in UNPLANNED or count == 1)
            continue
        assert spec.id not in UNPLANNED
        assert find_engine_adapter(plan.engine).launch(plan.deployment, PLACE).argv


def test_a_process_of_an_engine_that_needs_a_container_is_refused_by_name():
    hardware = Pools((pool_to_buy("h20-96gb", 8, 1, None, None),))
    with pytest.raises(NoModelFits):
        choose_plan(Request("deepseek-r1", 8, 8192, "process", format="fp8"), hardware)
