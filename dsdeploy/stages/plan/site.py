"""What the chosen machines and their cluster say of a plan: faults that were seen and parts that are missing."""

from collections.abc import Iterator
from dataclasses import replace

from dsdeploy.core.fleet import Cluster, Fleet
from dsdeploy.core.plan import Plan, Remark

_FOUND = {
    "accelerator-tool": "plan-found-tool",
    "accelerator-health": "plan-found-state",
    "accelerator-repair": "plan-found-repair",
    "accelerator-throttling": "plan-found-throttling",
    "accelerator-persistence": "plan-found-persistence",
    "accelerator-links": "plan-found-links",
    "accelerator-peers": "plan-found-peers",
    "accelerator-driver": "plan-found-driver",
    "fabric-manager": "plan-found-fabric",
    "shared-memory": "plan-found-shm",
    "memlock": "plan-found-memlock",
    "cgroup-memory": "plan-found-cgroup-memory",
    "cgroup-cpus": "plan-found-cgroup-cpus",
    "clock": "plan-found-clock",
}
_OF_ANY_HOST = ("cgroup-memory", "cgroup-cpus", "clock")  # what matters where no accelerator is used


def site_remarks(plan: Plan, fleet: Fleet) -> tuple[Remark, ...]:
    """One for each kind of fault among the plan's hosts, then what a plan over several nodes misses in a cluster."""
    return (*_faults(plan, fleet), *(_missing(plan, fleet.cluster) if fleet.cluster else ()))


def _faults(plan: Plan, fleet: Fleet) -> tuple[Remark, ...]:
    """Each names the first of its machines and counts them."""
    matter = _OF_ANY_HOST if plan.device == "cpu" else tuple(_FOUND)
    said: dict[str, Remark] = {}
    profiles = {one.name: one.profile for one in fleet.machines}
    for name in plan.hosts:
        for found in dict.fromkeys(one.id for one in profiles[name].findings if one.status in ("warn", "fail")):
            if found in matter:
                known = said.get(found)
                said[found] = replace(known, times=known.times + 1) if known else Remark(_FOUND[found], {"name": name})
    return tuple(said.values())


def _missing(plan: Plan, cluster: Cluster) -> Iterator[Remark]:
    if cluster.denied:
        yield Remark("plan-cluster-unseen", {"rights": ", ".join(cluster.denied)})
    if plan.deployment.nodes > 1:
        if cluster.leader_worker_set is False:
            yield Remark("plan-no-leader-worker-set", {"nodes": str(plan.deployment.nodes)})
        if cluster.storage_classes == ():
            yield Remark("plan-no-storage-class", {"nodes": str(plan.deployment.nodes)})
        elif cluster.storage_classes and not any(one.default for one in cluster.storage_classes):
            yield Remark("plan-no-default-class", {"classes": ", ".join(one.name for one in cluster.storage_classes)})
