"""What a running gateway says of itself on its inner port, and waiting until a change is in force there."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from dsdeploy.adapters.endpoint import QUICK, Endpoint
from dsdeploy.core.errors import KeysNotInForce, NoAnswer
from dsdeploy.core.keys import ApiKey
from dsdeploy.core.texts import text

METRICS_PORT = 9101
_FINGERPRINT = 12
_WAIT_S = 15
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Upstream:
    """One engine as the gateway sees it: `state` is HAProxy's word, as UP, DOWN or DRAIN; `running` are requests."""

    address: str
    state: str
    running: int


@dataclass(frozen=True, slots=True)
class GatewayState:
    """`keys` are the beginnings of the hashes in force."""

    keys: frozenset[str]
    upstreams: tuple[Upstream, ...]


def read_state(endpoint: Endpoint) -> GatewayState:
    """Raises NoAnswer."""
    told = endpoint.ask("/state", waits=QUICK).document()
    upstreams = (
        Upstream(str(one["address"]).rpartition(":")[0], str(one["state"]), int(one["running"]))
        for one in told["engines"]
    )
    return GatewayState(frozenset(told["keys"]), tuple(upstreams))


def wait_for_keys(endpoint: Endpoint, keys: tuple[ApiKey, ...], wait_s: float = _WAIT_S) -> None:
    """Until exactly these keys are in force. Raises KeysNotInForce."""
    wanted = frozenset(one.sha256[:_FINGERPRINT] for one in keys)
    if not wait_until(endpoint, lambda state: state.keys == wanted, wait_s):
        raise KeysNotInForce(text("keys-not-in-force", seconds=f"{wait_s:.0f}"), hint=text("keys-not-in-force-hint"))


def wait_until(endpoint: Endpoint, true: Callable[[GatewayState], bool], wait_s: float) -> bool:
    """Whether it became true in time; a gateway that does not answer yet is asked again."""
    end = time.monotonic() + wait_s
    while time.monotonic() < end:
        try:
            if true(read_state(endpoint)):
                return True
        except NoAnswer:
            pass
        time.sleep(_LOOK_S)
    return False
