"""`plan --diff`, as a table: what is chosen is shown, what is not is counted."""

from dsdeploy.cli.views.plan import difference_rows
from dsdeploy.stages.plan.differences import PlanDifference


def test_candidates_that_are_not_chosen_are_counted_and_remarks_are_sentences():
    remark = {"code": "plan-devices-left", "values": {"count": "8"}, "times": 1}
    found = (
        PlanDifference("deployment.engine", "vllm", "sglang"),
        PlanDifference("warnings", [], [remark, remark]),
        PlanDifference("rejected.deepseek-r1 bf16.rule", "memory", "engine"),
        PlanDifference("alternatives.deepseek-v3 fp8", {"quality": 1}, None),
    )
    for language, words, more in (
        ("en", "8 accelerators are left over.", "2 more"),
        ("zh", "剩余 8 张加速卡", "另有 2 处"),
    ):
        _, rows = difference_rows(found, language)
        assert rows[0] == ("deployment.engine", "vllm", "sglang") and len(rows) == 3
        assert rows[1][0] == "warnings" and words in rows[1][2].splitlines()[0] and "code" not in rows[1][2]
        assert rows[2][:2] == ("", "") and more in rows[2][2]
