"""Container images made from what this machine has: nothing is pulled, no builder is needed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Images:
    """What a Compose project runs: ids or digests, and as whom (two numbers). `engine` is for a launch without."""

    engine: str
    gateway: str
    user: str
