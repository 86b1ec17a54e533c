"""How long `check` takes without its speed group, for a small real service, against what its engine alone needs.

The baseline is the one question that no check near the context's limit can do without: a prompt of nine tenths of the
context, asked plainly in the same run. `python -m benchmarks.check [--json FILE]`.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Row, add_json, report
from tests.program import ask, free_port, run

ROUNDS = 3
TO_REACH_S = 10.0
SMALL, LARGER = 2048, 4096


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    add_json(asked)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as home:
        rows = (
            Row("check without speed, small context", *medians(Path(home), SMALL), "s", TO_REACH_S, "ours"),
            Row("check without speed, larger context", *medians(Path(home), LARGER), "s"),
        )
    report(given.json, "check", "a chat of nine tenths of the context", rows)


def medians(home: Path, context: int) -> tuple[float, float]:
    """Of the check and of the bare question, in turns, both in seconds."""
    plan, port = home / "plan.yaml", free_port()
    words = ("--model", "smoke", "--users", "2", "--context", str(context), "--port", str(port), "--out", str(plan))
    did("plan", *words)
    did("install", str(plan), "--home", str(home), "--yes")
    try:
        key = (home / "releases/default/secrets/api-keys").read_text(encoding="utf-8").split()[0]
        ours, bare = [], []
        for number in range(ROUNDS):
            ours.append(timed(did, "check", "--home", str(home), "--skip", "speed"))
            bare.append(timed(read_long, port, key, context, number))
    finally:
        did("uninstall", "--home", str(home), "--yes")
    return statistics.median(ours), statistics.median(bare)


def read_long(port: int, key: str, context: int, number: int) -> None:
    """About as many tokens as the check has read; a beginning of its own keeps the engine from an earlier one's."""
    words = f"{number} is the number. " + "The sea is wide. " * (context * 9 // 50)
    body = {"messages": [{"role": "user", "content": words}], "max_tokens": 1}
    status, said = ask(f"http://127.0.0.1:{port}/v1/chat/completions", key, body)
    read = json.loads(said)["usage"]["prompt_tokens"] if status == 200 else 0
    assert 0.85 * context < read < 0.95 * context, (status, read, said[:200])


def did(*words: str) -> None:
    said = run(*words)
    assert said.returncode == 0, said.stderr


def timed(work: Callable[..., None], *words: object) -> float:
    began = time.monotonic()
    work(*words)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
