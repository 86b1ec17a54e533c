"""Ends dsdeploy with kill -9 once before and once after everything that it changes, and runs it again each time.

What changes something is found by watching: operations of every target, and each state of a release and revision that
is written. An operation that is new tomorrow is killed at, too.
"""

import signal
import subprocess
import sys
from pathlib import Path

from tests.program import environment

_MOST_RUNS = 120
_PROGRAM = """
import os, signal, sys
from pathlib import Path
from dsdeploy.adapters import releases, revisions
from dsdeploy.adapters.targets.compose import ComposeTarget
from dsdeploy.adapters.targets.kubernetes import KubernetesTarget
from dsdeploy.adapters.targets.process import ProcessTarget

seen, spared, command = Path(sys.argv.pop(1)), sys.argv.pop(1).split(), sys.argv[1]

def point(words):
    if not any(one in words for one in spared) and words not in seen.read_text().splitlines():
        with seen.open("a") as file:
            file.write(words + "\\n")
        os.kill(os.getpid(), signal.SIGKILL)

def dying(change, words_of):
    def changed(*given):
        words = words_of(*given)
        point(f"{command} before {words}")
        done = change(*given)
        point(f"{command} after {words}")
        return done
    return changed

for target in (ComposeTarget, KubernetesTarget, ProcessTarget):
    target.apply = dying(target.apply, lambda self, operation, release, rendered: " ".join(
        (release.name, operation.action, "" if release.state == "candidate" else operation.arguments.get("path", ""))
    ))
releases.save_release = dying(releases.save_release, lambda release: f"{release.name} is {release.state}")
revisions.save_revision = dying(revisions.save_revision, lambda release, rendered: f"{release.name} was good")
from dsdeploy.cli.main import main
main()
"""


def complete_despite_kills(seen: Path, *words: str, spared: tuple[str, ...] = (), **more: str) -> list[str]:
    """Runs `words` until it ends by itself; where it was killed, in order.

    `seen` are places not to be killed at, `spared` actions not to be killed at, `more` goes into the environment.

    Who is killed after the very last change of an uninstall has nothing left to do, and is told so.
    """
    seen.touch()
    before = seen.read_text().splitlines()
    for _ in range(_MOST_RUNS):
        r = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(seen), " ".join(spared), *words],
            capture_output=True, text=True, env=environment(**more), stdin=subprocess.DEVNULL, timeout=300,
        )  # fmt: skip
        kills = seen.read_text().splitlines()[len(before) :]
        if r.returncode != -signal.SIGKILL:
            gone = words[0] == "uninstall" and "NothingInstalled" in r.stderr and "remove-folder" in kills[-1]
            assert r.returncode == 0 or gone, f"{r.stdout}{r.stderr}\nafter {kills}"
            return kills
    raise AssertionError(f"still not done after {_MOST_RUNS} runs: {seen.read_text()}")


def inodes(folder: Path) -> dict[str, tuple[int, int, int]]:
    """What tells whether a file below `folder` was written or replaced."""
    return {
        str(one.relative_to(folder)): (one.stat().st_ino, one.stat().st_size, one.stat().st_mtime_ns)
        for one in sorted(folder.rglob("*")) if one.is_file()
    }  # fmt: skip
