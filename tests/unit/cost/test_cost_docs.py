"""The example of docs/cost.md is a file that works, in both languages."""

import re
from pathlib import Path

import pytest
import yaml

from dsdeploy.core.cost import load_prices, override_prices

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("name", ["cost.md", "cost.zh.md"])
def test_the_documented_prices_are_accepted(name):
    example = re.search(r"```yaml\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)
    own = override_prices(yaml.safe_load(example[1]))
    assert own.accelerators["metax-c500"].rent_per_hour.expected == 3.2
    assert own.staff.expected == 0.2


@pytest.mark.parametrize("name", ["cost.md", "cost.zh.md"])
def test_the_documented_api_prices_are_those_of_the_data(name):
    words = (DOCS / name).read_text(encoding="utf-8")
    for one in load_prices().api:
        yuan = one.off_peak["CNY"]
        figures = (one.since, yuan.input_hit, yuan.input_miss, yuan.output, f"× {one.peak_factor:g}")
        assert "| " + " | ".join(f"{each:g}" if isinstance(each, float | int) else each for each in figures) in words
