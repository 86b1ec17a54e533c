"""`python -m tests.truth`: every row, the error tables, and the plots in docs/figures (matplotlib)."""

import sys
from pathlib import Path

from tests.truth import memory, throughput

FIGURES = Path(__file__).parents[2] / "docs" / "figures"


def plot_memory() -> None:
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "dsdeploy"
    from matplotlib import pyplot

    found = [one for row in memory.judged() for one in memory.compared(row)]
    terms = {
        "weights": "GiB a device", "bytes a token": "bytes", "cache bytes": "GiB a device", "cache tokens": "tokens"
    }  # fmt: skip
    figure, axes = pyplot.subplots(1, 4, figsize=(17, 4.4))
    for axis, (term, unit) in zip(axes, terms.items(), strict=True):
        for engine, marker in (("vllm", "o"), ("sglang", "s"), ("llama.cpp", "^")):
            some = [one for one in found if one.term == term and one.engine == engine]
            if not some:
                continue
            axis.loglog([one.logged for one in some], [one.predicted for one in some], marker, label=engine, alpha=0.75)
        low, high = axis.get_xlim()
        axis.plot([low, high], [low, high], "-", color="#888", linewidth=0.8)
        axis.minorticks_off()
        axis.set_title(term)
        axis.set_xlabel(f"logged, {unit}")
        axis.set_ylabel("predicted")
        axis.legend()
    figure.tight_layout()
    FIGURES.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURES / "memory.svg", metadata={"Date": None})
    figure.savefig(FIGURES / "memory.png", dpi=110)


if __name__ == "__main__":
    memory.report()
    throughput.main()
    if "--plot" in sys.argv:
        plot_memory()
