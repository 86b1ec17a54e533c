"""Is the way out closed, and do the machines of one service hear each other as planned?"""

import socket
import time
from collections.abc import Callable

from dsdeploy.adapters.outward import open_doors, outward_addresses
from dsdeploy.core.engine_log import read_facts
from dsdeploy.core.fabric import NodePath
from dsdeploy.core.percentiles import percentile
from dsdeploy.core.texts import Text, text
from dsdeploy.stages.check.subject import Outcome, Subject, failed, passed, skipped, warned

_KNOCK = """
import socket
for place in {places!r}:
    try:
        with socket.create_connection(place, 1.5) as door:
            print("reached", place[0])
            door.sendall({word!r})
    except OSError:
        pass
with open("/proc/net/route") as routes:
    routed = any(line.split()[1] == "00000000" for line in routes)
try:
    with open("/proc/net/ipv6_route") as routes:
        routed |= any(line.startswith("0" * 32 + " 00 ") and line.split()[-1] != "lo" for line in routes)
except OSError:
    pass
if routed:
    print("routed")
print("asked", {count})
"""
_TRIES = 5
_NEAR_S = 0.001
_SSH_PORT = 22
_LINK_SHARE = 0.5  # of what the slower interface says of itself: one TCP stream, on a machine that does other things
_ONE_STREAM_BITS_PER_S = 10e9  # what one such stream carries anywhere: a faster link is not filled by it
_UNKNOWN_LINK_BITS_PER_S = 1e9


def egress_closed(subject: Subject) -> Outcome:
    """From inside the engine's container this machine's own outward addresses are not reached, though it listens there.

    No stranger's address need be knocked at: who has no route out and cannot come that far comes no farther. Where a
    route leads out, a filter is what stopped it, this machine's own perhaps, and the outcome says so. Both ends are
    heard.
    """
    with open_doors(outward_addresses()) as doors:
        if not doors.places:
            return skipped(text("check-egress-no-door"))
        code = _KNOCK.format(places=doors.places, word=doors.word.encode(), count=len(doors.places))
        said = subject.target.run_inside(subject.release, code)
        came = list(doors.visitors)
    if said is None or "asked" not in said:
        return skipped(text("check-egress-unasked"))
    reached = [line.split()[1] for line in said.splitlines() if line.startswith("reached ")] or came
    measured, limit = f"{len(reached)} / {len(doors.places)}", "0"
    if reached:
        message = text("check-egress-open", way=", ".join(reached))
        return failed(message, text("check-egress-hint"), measured=measured, limit=limit)
    places = ", ".join(address for address, _ in doors.places)
    closed = "check-egress-filtered" if "routed" in said.split() else "check-egress-closed"
    return passed(Text(closed, {"places": places}), measured=measured, limit=limit)


def nodes_near(subject: Subject) -> Outcome:
    """With an inventory, round trips between each two machines; else handshakes of this one with each other one."""
    if subject.hosts:
        return _round_trips(subject.paths)
    hosts = _others(subject)
    if not hosts:
        return skipped(text("check-one-machine"))
    took: list[float] = []
    for host in hosts:
        try:
            took.append(percentile([_handshake_s(host) for _ in range(_TRIES)], 50))
        except OSError as error:
            message = text("check-node-away", host=host, reason=error)
            return failed(message, text("check-node-hint"), limit=f"≤ {_NEAR_S * 1e3:g} ms")
    measured, limit = f"≤ {max(took) * 1e3:.2f} ms", f"≤ {_NEAR_S * 1e3:g} ms"
    if max(took) > _NEAR_S:
        return warned(text("check-nodes-far"), text("check-node-hint"), measured=measured, limit=limit)
    return passed(text("check-nodes-near"), measured=measured, limit=limit)


def links_wide(subject: Subject) -> Outcome:
    """Each path against the speed of its own slower link, as far as one stream can fill it."""

    def share(path: NodePath) -> float:
        return (path.bits_per_s or 0.0) / _wanted(path)

    if (outcome := _unmeasured(subject, lambda one: one.bits_per_s)) is not None:
        return outcome
    worst = min(subject.paths, key=share)
    measured = f"{worst.words}: {(worst.bits_per_s or 0) / 1e9:,.2f} Gbit/s"
    limit = f"≥ {_wanted(worst) / 1e9:,.2f} Gbit/s"
    if share(worst) < 1:
        return warned(text("check-links-narrow"), text("check-links-hint"), measured=measured, limit=limit)
    return passed(text("check-links-wide", count=len(subject.paths)), measured=measured, limit=limit)


def mtu_whole(subject: Subject) -> Outcome:
    """A packet as large as the sender's interface carries arrives unbroken at each other machine."""
    if (outcome := _unmeasured(subject, lambda one: one.mtu_bytes)) is not None:
        return outcome
    short = [one for one in subject.paths if (one.mtu_bytes or 0) < (one.interface_mtu_bytes or 0)]
    shown = min(short or subject.paths, key=lambda one: one.mtu_bytes or 0)
    measured, limit = f"{shown.words}: {shown.mtu_bytes:,} bytes", f"{shown.interface_mtu_bytes:,} bytes"
    if short:
        return failed(text("check-mtu-broken"), text("check-mtu-hint"), measured=measured, limit=limit)
    sizes = {one.interface_mtu_bytes for one in subject.paths}
    if len(sizes) > 1:
        measured = " / ".join(f"{one:,}" for one in sorted(filter(None, sizes)))
        return warned(text("check-mtu-uneven"), text("check-mtu-hint"), measured=f"{measured} bytes", limit="1")
    return passed(text("check-mtu-whole"), measured=measured, limit=limit)


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


def _round_trips(paths: tuple[NodePath, ...]) -> Outcome:
    limit = f"≤ {_NEAR_S * 1e3:g} ms"
    if broken := next((one for one in paths if one.fault), None):
        message = text("check-path-away", path=broken.words, reason=broken.fault)
        return failed(message, text("check-path-hint"), limit=limit)
    slowest = max(paths, key=lambda one: one.quick_round_trip_s or 0.0)
    quick_s, usual_s = slowest.quick_round_trip_s or 0.0, slowest.round_trip_s or 0.0
    measured = f"{slowest.words}: p10 {quick_s * 1e3:.2f} ms, p50 {usual_s * 1e3:.2f} ms"
    if quick_s > _NEAR_S:
        return warned(text("check-nodes-far"), text("check-node-hint"), measured=measured, limit=limit)
    return passed(text("check-nodes-near"), measured=measured, limit=limit)


def _unmeasured(subject: Subject, of: Callable[[NodePath], object]) -> Outcome | None:
    """Why the paths cannot be judged, else None."""
    if not subject.hosts:
        return skipped(text("check-one-machine" if not _others(subject) else "check-no-inventory"))
    if any(of(one) is None for one in subject.paths):
        return skipped(text("check-path-untold"))
    return None


def _wanted(path: NodePath) -> float:
    if path.link_bits_per_s is None:
        return _UNKNOWN_LINK_BITS_PER_S
    return min(_LINK_SHARE * path.link_bits_per_s, _ONE_STREAM_BITS_PER_S)


def _others(subject: Subject) -> tuple[str, ...]:
    if subject.plan is None or subject.plan.deployment.nodes < 2:
        return ()
    return tuple(one for one in subject.plan.hosts if one != socket.gethostname())


def _handshake_s(host: str) -> float:
    began = time.perf_counter()
    socket.create_connection((host, _SSH_PORT), 3).close()
    return time.perf_counter() - began
