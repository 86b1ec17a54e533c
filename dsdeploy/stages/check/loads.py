"""What the speed checks measured, kept for one another and for the report."""

from dataclasses import dataclass, field

from dsdeploy.adapters.chat import Chat
from dsdeploy.adapters.endpoint import Waits
from dsdeploy.adapters.load import Shape, run_load
from dsdeploy.core.values import Load

_ROUNDS = 6


@dataclass(slots=True)
class Loads:
    """`measured` is by the number of users at once."""

    chat: Chat
    shape: Shape
    waits: Waits
    measured: dict[int, Load] = field(default_factory=dict)

    def run(self, at_once: int) -> Load:
        """Measures after one warm-up stream, each number at once once; the fewer, the oftener. Raises NoAnswer."""
        if not self.measured:
            run_load(self.chat, 1, 1, self.shape, self.waits)
        if at_once not in self.measured:
            rounds = max(1, _ROUNDS // at_once)
            self.measured[at_once] = run_load(self.chat, at_once, rounds, self.shape, self.waits)
        return self.measured[at_once]
