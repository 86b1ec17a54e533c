"""What every vendor's tool is to the program: commands to run, and a pure reading of what they said."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dsdeploy.core.machines import Accelerator, Link

MIB = 1 << 20
Said = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one vendor's tools told of a machine."""

    accelerators: tuple[Accelerator, ...]
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor's command-line tools.

    `commands` maps a name to words to run; none changes anything on the machine, and the first must answer for the
    rest to matter. `read` gets what each said by the same names, those that failed left out, and is pure; it raises
    ValueError, LookupError or ParseError for an answer that it does not know. `instead` names commands of which any
    may answer where the first does not.
    """

    name: str
    commands: dict[str, tuple[str, ...]]
    read: Callable[[Said], Reading]
    instead: tuple[str, ...] = ()
