"""Several machines, those alike in one row."""

from collections import Counter

from dsdeploy.cli.views.profile import finding_words
from dsdeploy.cli.views.table import Table, gib
from dsdeploy.core.fleet import Cluster, Fleet, Machine
from dsdeploy.core.texts import text

_NAMES_SHOWN = 3


def fleet_rows(fleet: Fleet, language: str) -> Table:
    """One row for each kind of machine, then one for each finding and each machine that did not answer."""
    groups: dict[tuple[str, str], list[str]] = {}
    found: dict[tuple[str, str], list[str]] = {}
    for one in fleet.machines:
        groups.setdefault(_kind(one, language), []).append(one.name)
        for finding in one.profile.findings:
            words = finding_words(finding, language)
            found.setdefault((f"{finding.status}\n{finding.id}", words), []).append(one.name)
    rows: list[tuple[str, ...]] = [
        (_names(names, language), f"{len(names)} × {devices}", details) for (devices, details), names in groups.items()
    ]
    rows += [(_names(names, language), kind, words) for (kind, words), names in found.items()]
    for broken in fleet.broken:
        said = [one.render(language) for one in (broken.message, broken.hint) if one]
        rows.append((broken.name, broken.code, "\n".join(said)))
    if fleet.cluster:
        rows = [*_cluster_rows(fleet.cluster, language), *rows]
    head = (text("machine"), text("accelerators"), text("details"))
    return tuple(one.render(language) for one in head), rows


def _cluster_rows(cluster: Cluster, language: str) -> list[tuple[str, ...]]:
    def say(id: str, **values: str) -> str:
        return text(id, **values).render(language)

    def known(there: bool | None) -> str:
        return say("unknown") if there is None else say("present") if there else say("absent")

    classes = cluster.storage_classes
    names = None if classes is None else [f"{one.name} *" if one.default else one.name for one in classes]
    level = say("unknown") if cluster.pod_security is None else cluster.pod_security or say("none")
    version = cluster.version or say("unknown")
    rows: list[tuple[str, ...]] = [
        (say("cluster"), "", say("cluster-value", context=cluster.context, version=version)),
        (say("pod-security"), "", say("pod-security-value", namespace=cluster.namespace, level=level)),
        (say("storage-classes"), "", say("unknown") if names is None else "\n".join(names) or say("none")),
        ("LeaderWorkerSet", "", known(cluster.leader_worker_set)),
        ("DRA", "", known(cluster.dynamic_resources)),
    ]
    return [*rows, (say("denied-rights"), "", "\n".join(cluster.denied))] if cluster.denied else rows


def _kind(machine: Machine, language: str) -> tuple[str, str]:
    """What machines alike share: their devices, and the words for the rest."""
    profile = machine.profile
    devices = Counter((one.name, one.memory_bytes) for one in profile.accelerators)
    shown = " + ".join(f"{count} × {name}" for (name, _), count in devices.items()) or text("none").render(language)
    each = [gib(memory, language) for _, memory in devices if memory is not None]
    threads = text("threads", count=profile.cpu_threads).render(language)
    return "\n".join((f"({shown})", *each)), f"{threads}, {gib(profile.memory_bytes, language)}"


def _names(names: list[str], language: str) -> str:
    shown, more = names[:_NAMES_SHOWN], len(names) - _NAMES_SHOWN
    if more > 0:
        shown = [*shown, text("and-more", count=more).render(language)]
    return "\n".join(shown)
