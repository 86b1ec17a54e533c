"""Records a real session as docs/figures/session.svg and session.zh.svg: `python -m scripts.record_session`.

It plans for eight H20, then installs, checks and removes the small model on this machine, in a home of its own.
"""

import os
import re
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from rich.cells import cell_len

FIGURES = Path(__file__).parents[1] / "docs" / "figures"
COLUMNS = 96
PORT = "8088"
# The command as a person types it, and how many lines of its answer are shown.
STEPS = (
    ('dsdeploy plan --accelerator "NVIDIA H20-3e" --count 8 --users 200 --workload office-assistant', 15),
    (f"dsdeploy plan --model smoke --users 2 --port {PORT} --out plan.yaml", 5),
    ("dsdeploy install plan.yaml --yes", 8),
    ("dsdeploy check --report report.html", -4),
    ("dsdeploy status", 9),
    ("dsdeploy uninstall --yes", 9),
)
CELL, LINE, EDGE = 9.0, 20, 16
# Names only: the picture's fonts are the reader's, nothing is taken from a network.
FONTS = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, 'Noto Sans Mono CJK SC', 'Noto Sans CJK SC', monospace"
RUNS = re.compile(
    r"[\u2e80-\u9fff\uff00-\uffef\u3000-\u303f]+|[^\s\u2e80-\u9fff\uff00-\uffef]+(?: [^\s\u2e80-\u9fff\uff00-\uffef]+)*"
)


def record(language: str) -> None:
    shown: list[str] = []
    with tempfile.TemporaryDirectory() as home:
        program = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        locale = "zh_CN.UTF-8" if language == "zh" else "C.UTF-8"
        environment = {**os.environ, "HOME": home, "PATH": program, "LC_ALL": locale, "COLUMNS": str(COLUMNS)}
        environment["PYTHONUTF8"] = "1"
        environment.pop("DSDEPLOY_HOME", None)
        for command, lines in STEPS:
            r = subprocess.run(
                ["bash", "-c", command], cwd=home, env=environment, capture_output=True, text=True, timeout=900
            )
            if r.returncode:
                sys.exit(f"{command}\n{r.stderr}")
            said = [line for line in r.stdout.replace(home, "/home/ops").splitlines() if line.strip()]
            kept = said[lines:] if lines < 0 else said[:lines]
            cut = len(said) > len(kept)
            shown += [f"$ {command}", *["  …"] * (cut and lines < 0), *kept, *["  …"] * (cut and lines > 0), ""]
    name = "session.zh.svg" if language == "zh" else "session.svg"
    (FIGURES / name).write_text(picture(shown[:-1]), encoding="utf-8")


def picture(lines: list[str]) -> str:
    """A terminal with these lines; each run of words stands at its own column, so that wide characters keep it."""
    width, height = COLUMNS * CELL + 2 * EDGE, len(lines) * LINE + 2 * EDGE
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" font-size="15" '
        f'font-family="{FONTS}" fill="#d8dee9">',
        f'<rect width="{width:g}" height="{height}" rx="8" fill="#1e222a"/>',
    ]
    for row, line in enumerate(lines):
        y = EDGE + row * LINE + 15
        style = ' fill="#a3be8c"' if line.startswith("$ ") else ""
        for run in RUNS.finditer(line):
            x, long = EDGE + cell_len(line[: run.start()]) * CELL, cell_len(run[0]) * CELL
            if set(run[0]) == {"─"}:
                drawn.append(f'<path d="M{x:g} {y - 5}h{long:g}" stroke="#4c566a"/>')
            else:
                drawn.append(f'<text x="{x:g}" y="{y}" textLength="{long:g}"{style}>{escape(run[0])}</text>')
    return "\n".join([*drawn, "</svg>"]) + "\n"


if __name__ == "__main__":
    for language in ("en", "zh"):
        record(language)
