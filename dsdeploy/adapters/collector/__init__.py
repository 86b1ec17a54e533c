"""One POSIX sh script that asks a machine everything, and the machine that its answers describe.

The same answers come over ssh, from a file carried out of a closed site, and from recordings.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from dsdeploy.adapters.accelerators import TOOL_TIMEOUT_S
from dsdeploy.adapters.accelerators.vendors import VENDORS
from dsdeploy.core.texts import Malformed, text

FIRST, LAST = "#dsdeploy-collected 1", "#end"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one command of the collector printed; `exit_code` is 124 where it ran past its time."""

    said: str
    exit_code: int


class NotCollected(Malformed):
    """Text that the collector did not print, or not to its end."""


def collector_script() -> str:
    """The script as a user may read and run it."""
    commands = (
        f"ask {vendor.name}.{name} {shlex.join(words)}" for vendor in VENDORS for name, words in vendor.commands.items()
    )
    script = (Path(__file__).parent / "collect.sh").read_text(encoding="utf-8")
    return script.replace("@TIMEOUT_S@", str(TOOL_TIMEOUT_S)).replace("@COMMANDS@", "\n".join(commands))


def read_answers(collected: str) -> dict[str, Answer]:
    """The answers by name; words before the first frame (a login's greeting) are passed over. Raises NotCollected."""
    lines = [printable(line) for line in collected.replace("\r\n", "\n").split("\n")]
    if FIRST not in lines:
        raise NotCollected(text("reason-lacks", what=FIRST))
    answers: dict[str, Answer] = {}
    name, said = "", list[str]()
    for line in lines[lines.index(FIRST) + 1 :]:
        if line == LAST:
            return answers
        if line.startswith("#"):
            name, said = line[1:], []
        elif line.startswith("|"):
            said.append(line[1:])
        elif line.startswith("=") and line[1:].isdigit() and name:
            answers[name] = Answer("\n".join(said), int(line[1:]))
    raise NotCollected(text("reason-lacks-after", what=LAST, name=name or FIRST))


def printable(said: str) -> str:
    """One line of another machine's words, without colours and without anything else that would steer a terminal."""
    bare = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", said)
    return "".join(one for one in bare if one.isprintable() or one == "\t")
