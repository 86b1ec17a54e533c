"""What a rendered chart asks of a cluster: pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

Document = dict[str, Any]
_TIMEOUT = "dsdeploy.io/timeout-seconds"
_MARGIN_S = 60
_LEAST_S = 300
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # by libyaml, where PyYAML has it: eight times as fast
_PLAIN = ("cpu", "memory", "ephemeral-storage", "pods")


@dataclass(frozen=True, slots=True)
class Workload:
    """Pods made alike: `template` is one pod's, `pods` how many; `budget_s` is how long they may take to be ready."""

    kind: str
    name: str
    template: Document
    pods: int
    budget_s: int

    @property
    def devices(self) -> dict[str, int]:
        """Extended resources that one pod asks for, by name."""
        asked: dict[str, int] = {}
        for one in self.template["spec"].get("containers") or ():
            resources = one.get("resources") or {}
            limits = {**(resources.get("requests") or {}), **(resources.get("limits") or {})}
            for name, amount in limits.items():
                if name not in _PLAIN and not name.startswith("hugepages-"):
                    asked[name] = asked.get(name, 0) + int(amount)
        return asked

    @property
    def claims(self) -> tuple[str, ...]:
        """The volume claims that one pod names."""
        volumes = self.template["spec"].get("volumes") or ()
        return tuple(one["persistentVolumeClaim"]["claimName"] for one in volumes if "persistentVolumeClaim" in one)


def documents(manifest: str) -> tuple[Document, ...]:
    """What Helm would create, without hooks. Raises yaml.YAMLError."""
    found = (one for one in yaml.load_all(manifest, _LOADER) if one)
    return tuple(one for one in found if "helm.sh/hook" not in _notes(one))


def workloads(many: tuple[Document, ...]) -> tuple[Workload, ...]:
    return tuple(found for one in many for found in _of(one))


def claims(many: tuple[Document, ...]) -> tuple[str, ...]:
    """The volume claims that pods name and the chart does not make."""
    made = {one["metadata"]["name"] for one in many if one["kind"] == "PersistentVolumeClaim"}
    named = dict.fromkeys(name for work in workloads(many) for name in work.claims)
    return tuple(one for one in named if one not in made)


def budget_s(many: tuple[Document, ...]) -> int:
    """How long to wait for all of it, in seconds: as the chart says, or by the slowest workload and a margin."""
    said = [int(_notes(one).get(_TIMEOUT, 0)) for one in many]
    if any(said):
        return max(said)
    return max((_LEAST_S, *(one.budget_s for one in workloads(many)))) + _MARGIN_S


def _notes(one: Document) -> Document:
    return one["metadata"].get("annotations") or {}


def _of(one: Document) -> Iterator[Workload]:
    spec, name = one.get("spec") or {}, one["metadata"]["name"]
    match one["kind"]:
        case "Deployment" | "StatefulSet":
            patience_s = int(spec.get("progressDeadlineSeconds") or _startup_s(spec["template"]))
            yield Workload(one["kind"], name, spec["template"], int(spec.get("replicas", 1)), patience_s)
        case "LeaderWorkerSet":
            group = spec["leaderWorkerTemplate"]
            size, replicas = int(group.get("size", 1)), int(spec.get("replicas", 1))
            worker = group["workerTemplate"]
            leader = group.get("leaderTemplate") or worker
            yield Workload(one["kind"], name, leader, replicas, _startup_s(leader))
            if size > 1:
                yield Workload(one["kind"], name, worker, replicas * (size - 1), _startup_s(leader))


def _startup_s(template: Document) -> int:
    probes = [one.get("startupProbe") or {} for one in template["spec"]["containers"]]
    return max(int(one.get("failureThreshold", 3)) * int(one.get("periodSeconds", 10)) for one in probes)
