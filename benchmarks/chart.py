"""Rendering DeepSeek-R1 671B on four nodes: dsdeploy's values and Helm, against plain Helm with the values at hand.

    python -m benchmarks.chart [--rounds 15] [--json FILE]

Needs scripts/install-kube-tools.sh. Medians in seconds; rounds alternate the order.
"""

import argparse
import statistics
import time

from benchmarks.figures import Row, add_json, report
from tests.chart.deployments import MODELS, values
from tests.chart.rendering import render


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rounds", type=int, default=15)
    add_json(asked)
    given = asked.parse_args()
    ready = values(*MODELS[-1], "vllm")

    def plain() -> None:
        render(ready)

    def ours() -> None:
        render(values(*MODELS[-1], "vllm"))

    took: dict[str, list[float]] = {"helm_template_s": [], "dsdeploy_s": []}
    for number in range(given.rounds):
        pair = [("helm_template_s", plain), ("dsdeploy_s", ours)]
        for name, work in pair if number % 2 else reversed(pair):
            begun = time.perf_counter()
            work()
            took[name].append(time.perf_counter() - begun)
    medians = {name: statistics.median(many) for name, many in took.items()}
    row = Row("rendering 671B on four nodes", medians["dsdeploy_s"], medians["helm_template_s"], "s", 2)
    report(given.json, "chart", "helm template", (row,))


if __name__ == "__main__":
    main()
