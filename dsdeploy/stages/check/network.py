"""Is the way out closed, and do the machines of one service hear each other as planned?"""

import socket
import time

from dsdeploy.core.engine_log import read_facts
from dsdeploy.core.percentiles import percentile
from dsdeploy.core.texts import text
from dsdeploy.stages.check.subject import Outcome, Subject, failed, passed, skipped, warned

# Addresses of public resolvers: nothing is sent to them but a handshake.
_OUTSIDE = (("1.1.1.1", 443), ("8.8.8.8", 53), ("223.5.5.5", 53), ("114.114.114.114", 53))
_PROBE = f"""
import socket
for place in {_OUTSIDE!r}:
    try:
        socket.create_connection(place, 1.5).close()
        print("reached", place[0])
    except OSError:
        pass
print("asked", {len(_OUTSIDE)})
"""
_TRIES = 5
_NEAR_S = 0.001
_SSH_PORT = 22


def egress_closed(subject: Subject) -> Outcome:
    """From inside the engine's container nothing outside is reached. Routes tell nothing: closed networks have them."""
    said = subject.target.run_inside(subject.release, _PROBE)
    if said is None or "asked" not in said:
        return skipped(text("check-egress-unasked"))
    lines = [line.split() for line in said.splitlines()]
    reached = [line[1] for line in lines if line[0] == "reached"]
    measured, limit = f"{len(reached)} / {len(_OUTSIDE)}", "0"
    if reached:
        return failed(
            text("check-egress-open", way=", ".join(reached)), text("check-egress-hint"), measured=measured, limit=limit
        )
    return passed(text("check-egress-closed"), measured=measured, limit=limit)


def nodes_near(subject: Subject) -> Outcome:
    """The time of a TCP handshake with each other machine of the plan, on the port that it is managed by."""
    hosts = _others(subject)
    if not hosts:
        return skipped(text("check-one-machine"))
    took: list[float] = []
    for host in hosts:
        try:
            took.append(percentile([_handshake_s(host) for _ in range(_TRIES)], 50))
        except OSError as error:
            message = text("check-node-away", host=host, reason=error.strerror or error)
            return failed(message, text("check-node-hint"), limit=f"≤ {_NEAR_S * 1e3:g} ms")
    measured, limit = f"≤ {max(took) * 1e3:.2f} ms", f"≤ {_NEAR_S * 1e3:g} ms"
    if max(took) > _NEAR_S:
        return warned(text("check-nodes-far"), text("check-node-hint"), measured=measured, limit=limit)
    return passed(text("check-nodes-near"), measured=measured, limit=limit)


def rdma_used(subject: Subject) -> Outcome:
    """NCCL says in the engine's log what carries its traffic; IB is InfiniBand and RoCE alike."""
    if not _others(subject):
        return skipped(text("check-one-machine"))
    told = read_facts(subject.log).network
    if told is None:
        return skipped(text("check-rdma-untold"))
    if told == "IB":
        return passed(text("check-rdma"), measured=told, limit="IB")
    return failed(text("check-rdma-unused"), text("check-rdma-hint"), measured=told, limit="IB")


def _others(subject: Subject) -> tuple[str, ...]:
    if subject.plan is None or subject.plan.deployment.nodes < 2:
        return ()
    return tuple(one for one in subject.plan.hosts if one != socket.gethostname())


def _handshake_s(host: str) -> float:
    began = time.perf_counter()
    socket.create_connection((host, _SSH_PORT), 3).close()
    return time.perf_counter() - began
