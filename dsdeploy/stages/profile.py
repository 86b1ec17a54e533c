"""Asks machines what they have, and keeps the answer in a file that can be carried out of a site."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from dsdeploy.adapters.files import write_whole
from dsdeploy.core.documents import from_document, to_document, unexpected
from dsdeploy.core.errors import InvalidRequest, NoHostAnswered, ProfileNotWritable, ProfileTooOld, ProfileUnreadable
from dsdeploy.core.fleet import Fleet, Machine
from dsdeploy.core.health import judge_fleet, judge_profile
from dsdeploy.core.machines import Profile
from dsdeploy.core.texts import text

P = TypeVar("P", Profile, Fleet)


def detect_profile() -> Profile:
    from dsdeploy.adapters.host import detect_machine

    return judge_profile(replace(detect_machine(), asked_at=_now()))


def ask_fleet(inventory: Path, connect_s: int, done: Callable[[str], None] = lambda _: None) -> Fleet:
    """Every machine of an inventory over ssh. Raises InventoryUnreadable, NoHostAnswered."""
    from dsdeploy.adapters.inventory import load_inventory
    from dsdeploy.adapters.ssh import Patience, ask_hosts

    machines, broken = ask_hosts(load_inventory(inventory), Patience(connect_s), done)
    dated = tuple(replace(one, profile=replace(one.profile, asked_at=_now())) for one in machines)
    fleet = judge_fleet(Fleet(dated, broken))
    if not machines:
        first = fleet.broken[0]
        assert first.message is not None and first.hint is not None
        raise NoHostAnswered(text("no-host-answered", count=len(broken), first=first.message), hint=first.hint)
    return fleet


def ask_nodes(context: str | None, namespace: str | None) -> Fleet:
    """Every node of a Kubernetes cluster. Raises ClusterUnreachable, ClusterForbidden."""
    from dsdeploy.adapters.cluster import ask_cluster

    fleet = ask_cluster(context, namespace)
    dated = tuple(replace(one, profile=replace(one.profile, asked_at=_now())) for one in fleet.machines)
    return judge_fleet(replace(fleet, machines=dated))


def read_collected(path: Path) -> Profile:
    """The machine in a file that the collector printed; "-" is standard input. Raises ProfileUnreadable."""
    from dsdeploy.adapters.collector import NotCollected, read_answers
    from dsdeploy.adapters.collector.machine import clock_s, read_machine

    try:
        answers = read_answers(_read(path))
        clock = clock_s(answers)
        at = None if clock is None else datetime.fromtimestamp(clock, UTC).isoformat()
        return judge_profile(replace(read_machine(answers), asked_at=at))
    except NotCollected as error:
        raise ProfileUnreadable(
            text("not-collected", path=path, reason=error), hint=text("not-collected-hint")
        ) from error


def with_measured(found: P, measured: dict[str, float]) -> P:
    """Devices of these names with the memory bandwidth, in bytes/s, that a site measured. Raises InvalidRequest where
    there is no such device."""
    profiles = (found,) if isinstance(found, Profile) else tuple(one.profile for one in found.machines)
    there = dict.fromkeys(device.name for one in profiles for device in one.accelerators)
    for name in measured:
        if name not in there:
            known = ", ".join(there) or text("none")
            raise InvalidRequest(text("measured-no-device", name=name), hint=text("measured-hint", known=known))
    if isinstance(found, Profile):
        return _measured(found, measured)
    machines = (replace(one, profile=_measured(one.profile, measured)) for one in found.machines)
    return replace(found, machines=tuple(machines))


def _measured(profile: Profile, measured: dict[str, float]) -> Profile:
    devices = (
        replace(one, memory_bytes_per_s=measured.get(one.name, one.memory_bytes_per_s)) for one in profile.accelerators
    )
    return replace(profile, accelerators=tuple(devices))


def save_profile(found: Profile | Fleet, path: Path) -> None:
    """Writes the whole file or none; "-" is standard output. Raises ProfileNotWritable."""
    content = json.dumps(to_document(found), indent=2, ensure_ascii=False)
    try:
        if str(path) == "-":
            sys.stdout.write(f"{content}\n")
        else:
            write_whole(path, content)
    except OSError as error:
        raise ProfileNotWritable(
            text("not-writable", path=path, reason=error), hint=text("not-writable-hint")
        ) from error


def load_profile(path: Path) -> Profile:
    """The one machine in a file that `save_profile` wrote. Raises ProfileUnreadable."""
    return judge_profile(_value(Profile, path, _document(path)))


def load_fleet(path: Path) -> Fleet:
    """The machines in a file that `save_profile` wrote, one or many. Raises ProfileUnreadable."""
    document = _document(path)
    if isinstance(document, dict) and document.get("kind") == Profile.__name__:
        profile = _value(Profile, path, document)
        return judge_fleet(Fleet((Machine(profile.hostname, profile),)))
    return judge_fleet(_value(Fleet, path, document))


def refuse_old(fleet: Fleet, oldest_days: int) -> None:
    """Raises ProfileTooOld for a machine that was asked longer ago, ProfileUnreadable for a time that is none; one that
    says no time is let pass.
    """
    for machine in fleet.machines:
        if machine.profile.asked_at and (days := _age_days(machine, machine.profile.asked_at)) > oldest_days:
            message = text("profile-too-old", name=machine.name, days=days, oldest=oldest_days)
            raise ProfileTooOld(message, hint=text("profile-too-old-hint"))


def _age_days(machine: Machine, asked_at: str) -> int:
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(asked_at)).days
    except (ValueError, TypeError) as error:  # TypeError: a time without its zone
        raise _unreadable(machine.name, unexpected("asked_at", "2026-01-31T12:00:00+00:00", asked_at)) from error


def _value(kind: type[P], path: Path, document: object) -> P:
    try:
        return from_document(kind, document)
    except ValueError as error:
        raise _unreadable(path, error) from error


def _document(path: Path) -> object:
    try:
        return json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error


def _read(path: Path) -> str:
    """Raises ProfileUnreadable."""
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path | str, error: Exception) -> ProfileUnreadable:
    return ProfileUnreadable(text("unreadable", path=path, reason=error), hint=text("profile-unreadable-hint"))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
