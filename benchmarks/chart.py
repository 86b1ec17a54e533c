"""Rendering DeepSeek-R1 671B on four nodes: dsdeploy's values and Helm, against plain Helm with the values at hand.

    python -m benchmarks.chart --rounds 15

Needs scripts/install-kube-tools.sh. Prints medians in seconds and their ratio; rounds alternate the order.
"""

import argparse
import json
import statistics
import time

from tests.chart.deployments import MODELS, values
from tests.chart.rendering import render


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rounds", type=int, default=15)
    rounds = asked.parse_args().rounds
    ready = values(*MODELS[-1], "vllm")

    def plain() -> None:
        render(ready)

    def ours() -> None:
        render(values(*MODELS[-1], "vllm"))

    took: dict[str, list[float]] = {"helm_template_s": [], "dsdeploy_s": []}
    for number in range(rounds):
        pair = [("helm_template_s", plain), ("dsdeploy_s", ours)]
        for name, work in pair if number % 2 else reversed(pair):
            begun = time.perf_counter()
            work()
            took[name].append(time.perf_counter() - begun)
    medians = {name: statistics.median(many) for name, many in took.items()}
    print(json.dumps({**medians, "ratio": medians["dsdeploy_s"] / medians["helm_template_s"], "rounds": rounds}))


if __name__ == "__main__":
    main()
