"""What the speed checks measured, kept for one another and for the report."""

from dataclasses import dataclass, field

from dsdeploy.adapters.chat import Chat
from dsdeploy.adapters.load import Shape, run_load
from dsdeploy.core.values import Load


@dataclass(slots=True)
class Loads:
    chat: Chat
    shape: Shape
    measured: dict[tuple[int, int], Load] = field(default_factory=dict)

    def run(self, at_once: int, rounds: int) -> Load:
        """Measures after one warm-up stream, once for the same question. Raises NoAnswer."""
        if not self.measured:
            run_load(self.chat, 1, 1, self.shape)
        if (at_once, rounds) not in self.measured:
            self.measured[at_once, rounds] = run_load(self.chat, at_once, rounds, self.shape)
        return self.measured[at_once, rounds]
