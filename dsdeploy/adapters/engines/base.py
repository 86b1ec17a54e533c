"""What every inference engine promises."""

from typing import Protocol

from dsdeploy.core.deployment import Deployment, Launch, Place


class Engine(Protocol):
    """One inference engine, described per version: pure, it reads no machine and touches no network.

    Both methods judge alike, so a launch is only ever given for what `refuse` lets pass.

    * Every option is one that the release's recorded table knows, with a legal value.
    * Nothing secret is in the words or in the environment: keys are read from `Place.keys_file` after the start.
    * The engine stays offline, reports nothing home, runs no code of the model's repository, and writes below
      `Place.writable` and /tmp only, so it can run without root on a read-only root.
    * `Place.leader_address` and `Place.node_rank` may be variables that the target expands; a rank that is a variable
      is a follower's.
    """

    name: str

    def refuse(self, deployment: Deployment) -> None:
        """Raises UnknownEngineVersion or EngineCannotRun, whose hint names the nearest that would do."""

    def launch(self, deployment: Deployment, place: Place) -> Launch:
        """How one node of a replica starts. Raises as `refuse`."""
