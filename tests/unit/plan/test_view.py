"""`DSDEPLOY_REWRITE=1 pytest tests/unit/plan/test_view.py` rewrites the golden tables; their diff is the review."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from dsdeploy.cli.views.plan import plan_rows
from dsdeploy.cli.views.table import print_table
from dsdeploy.core.plan import Change, Remark
from tests.plans import h20_plan
from tests.program import run

GOLDEN = Path(__file__).parents[2] / "golden"


def shown(plan, language, capsys, monkeypatch) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    print_table(plan_rows(plan, language))
    return "".join(f"{line.rstrip()}\n" for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_plan_reads_as_the_golden_table(language, capsys, monkeypatch):
    plan = replace(
        h20_plan(),
        hosts=tuple(f"node-{index}" for index in range(6)),
        changes=(Change("DeepSeek-V4-Pro", "fp4-experts+fp8", "nodes", 1, 2, 90.1),),
        warnings=(Remark("plan-devices-left", {"count": "2"}, 3), Remark("plan-found-shm", {"name": "node-0"}, 6)),
    )
    table = shown(plan, language, capsys, monkeypatch)
    golden = GOLDEN / f"plan.{language}.txt"
    if os.environ.get("DSDEPLOY_REWRITE"):
        golden.write_text(table, encoding="utf-8")
    assert table == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_plan_fits_eighty_columns(language):
    words = ("plan", "--accelerator", "NVIDIA A100-SXM4-80GB", "--count", "8", "--nodes", "3", "--users", "300")
    r = run("--lang", language, *words, "--workload", "dispatch-support", COLUMNS="80")
    assert r.returncode == 0 and max(map(cell_len, r.stdout.splitlines())) <= 80
