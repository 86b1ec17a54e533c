"""Records a real session as docs/figures/session.svg and session.zh.svg: `python -m scripts.record_session`.

It plans for eight H20, then installs, checks and removes the small model on this machine, in a home of its own.
"""

import os
import re
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

FIGURES = Path(__file__).parents[1] / "docs" / "figures"
COLUMNS = 96
PORT = "18080"
# The command as a person types it, and how many lines of its answer are shown.
STEPS = (
    ('dsdeploy plan --accelerator "NVIDIA H20-3e" --count 8 --users 200 --workload office-assistant', 15),
    (f"dsdeploy plan --model smoke --users 2 --port {PORT} --out plan.yaml", 5),
    ("dsdeploy install plan.yaml --yes", 8),
    ("dsdeploy check --report report.html", -4),
    ("dsdeploy status", 9),
    ("dsdeploy uninstall --yes", 9),
)
# The picture's fonts are the reader's: the export would name some on a network.
FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def record(language: str) -> None:
    shown = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
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
            shown.print(Text.assemble(("$ ", "green"), (command, "bold")))
            kept = said[lines:] if lines < 0 else said[:lines]
            before, after = len(said) > len(kept) and lines < 0, len(said) > len(kept) and lines > 0
            shown.print(Text("\n".join(["  …"] * before + kept + ["  …"] * after) + "\n"))
    name = "session.zh.svg" if language == "zh" else "session.svg"
    picture = shown.export_svg(title="dsdeploy", code_format=FORMAT, unique_id=f"session-{language}")
    (FIGURES / name).write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    for language in ("en", "zh"):
        record(language)
