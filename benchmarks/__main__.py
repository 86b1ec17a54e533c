"""Runs every benchmark in turn and keeps what they found beside the documentation.

    python -m benchmarks [--only NAME …] [--list]

Needs a quiet machine, about 50 minutes and 41 GB of free disk; Docker and the kube tools
(scripts/install-kube-tools.sh) for some. One that fails or cannot run here is kept as that. Writes
docs/figures/benchmarks.json, then the pages made from it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import NOT_HERE, machine

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "docs" / "figures" / "benchmarks.json"
# Name → the arguments it is run with; each writes its figures where --json says.
BENCHMARKS: dict[str, tuple[str, ...]] = {
    "startup": (),
    "catalogue": (),
    "estimates": (),
    "plan": (),
    "digests": (),
    "bundle": ("--sizes", "2,8,20", "--minutes", "26", "--peers-up-to", "2"),
    "gateway": (),
    "chart": (),
    "load": (),
    "check": (),
    "kubernetes": (),
}
LONGEST_S = 2400


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS), metavar="NAME")
    asked.add_argument("--list", action="store_true", help="name them and stop")
    given = asked.parse_args()
    if given.list:
        sys.exit("\n".join(BENCHMARKS))
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    for number, name in enumerate(given.only, 1):
        print(f"[{number}/{len(given.only)}] {name} …", file=sys.stderr, flush=True)
        began = time.monotonic()
        kept[name] = figures(name)
        said = kept[name].get("failed") or kept[name].get("not_here") or "done"
        print(f"    {said}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        # After each, so that a cut loses nothing.
        beside = KEPT.with_suffix(".part")
        ordered = {one: kept[one] for one in BENCHMARKS if one in kept}
        beside.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        beside.replace(KEPT)
    subprocess.run([sys.executable, "-m", "scripts.write_reference"], cwd=ROOT, check=True)


def figures(name: str) -> dict[str, object]:
    """What the benchmark wrote; else why there is nothing, the machine beside it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures.json"
        words = [sys.executable, "-m", f"benchmarks.{name}", *BENCHMARKS[name], "--json", str(path)]
        try:
            r = subprocess.run(words, cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            return {"name": name, "machine": machine(), "failed": f"took over {LONGEST_S} s"}
        if path.is_file():
            return json.loads(path.read_text(encoding="utf-8"))
        last = (r.stderr.strip().splitlines() or ["no figures written"])[-1]
        return {"name": name, "machine": machine(), "not_here" if r.returncode == NOT_HERE else "failed": last}


if __name__ == "__main__":
    main()
