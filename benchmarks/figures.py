"""What a benchmark found: printed, and with `--json FILE` kept, in one form that the page of benchmarks is made from.

    asked = argparse.ArgumentParser(description=__doc__)
    add_json(asked)
    given = asked.parse_args()
    rows = (Row("building", 4.1, 3.9, "s", 1.5),)
    report(given.json, "bundle", "cp and openssl dgst", rows)

`python -m benchmarks` runs them all.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NoReturn

# What automake's tests exit with when they cannot run here.
NOT_HERE = 77


@dataclass(frozen=True, slots=True)
class Row:
    """One figure beside its baseline's, both in `unit`, from one run.

    `what` stays the same from run to run (no figures in it): the page finds its Chinese name by it. `limit` is to be
    reached by the ratio ours/baseline or by our figure itself (`of`), and is the most allowed unless `more` is better.
    """

    what: str
    ours: float
    baseline: float | None
    unit: str
    limit: float | None = None
    of: Literal["ratio", "ours"] = "ratio"
    more: bool = False

    @property
    def ratio(self) -> float | None:
        return self.ours / self.baseline if self.baseline else None

    @property
    def reached(self) -> bool | None:
        """None: there is no limit, or nothing to hold against it."""
        value = self.ratio if self.of == "ratio" else self.ours
        if self.limit is None or value is None:
            return None
        return value >= self.limit if self.more else value <= self.limit


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures in this file too")


def report(path: Path | None, name: str, baseline: str, rows: Sequence[Row]) -> None:
    """`baseline` names the plain tool that stands beside ours, as a person would type it."""
    print(f"{name}, beside {baseline}:")
    for row in rows:
        print(f"  {row.what}: {_words(row)}")
    save(path, name, baseline, rows)


def save(path: Path | None, name: str, baseline: str, rows: Sequence[Row]) -> None:
    """What is known so far: a long run that is cut off keeps it."""
    if path:
        document = {
            "name": name,
            "baseline": baseline,
            "machine": machine(),
            "rows": [{**asdict(row), "ratio": row.ratio} for row in rows],
        }
        beside = path.with_name(path.name + ".new")
        beside.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        beside.replace(path)


def not_here(reason: str) -> NoReturn:
    """Ends a benchmark that lacks something on this machine; the page says so."""
    print(reason, file=sys.stderr)
    sys.exit(NOT_HERE)


def machine() -> dict[str, object]:
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 1),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    return next((one.partition(":")[2].strip() for one in lines if one.startswith("model name")), platform.machine())


def _words(row: Row) -> str:
    said = [f"{row.ours:.4g} {row.unit}"]
    if row.baseline is not None:
        said.append(f"baseline {row.baseline:.4g} {row.unit}")
    if row.ratio is not None:
        said.append(f"{row.ratio:.3g} x")
    if row.limit is not None:
        unit = "x" if row.of == "ratio" else row.unit
        verdict = {True: "reached", False: "missed", None: "not compared"}[row.reached]
        said.append(f"to reach {'at least' if row.more else 'at most'} {row.limit:g} {unit}: {verdict}")
    return ", ".join(said)
