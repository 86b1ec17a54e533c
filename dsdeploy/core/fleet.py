"""Several machines asked at once, and what could not be asked."""

from dataclasses import dataclass, field

from dsdeploy.core.documents import DERIVED
from dsdeploy.core.machines import Profile
from dsdeploy.core.texts import Text


@dataclass(frozen=True, slots=True)
class Taint:
    key: str
    value: str | None
    effect: str


@dataclass(frozen=True, slots=True)
class Node:
    """What Kubernetes says of a node beyond its hardware. `resources` are the allocatable extended resources."""

    ready: bool
    schedulable: bool
    taints: tuple[Taint, ...]
    resources: dict[str, str]
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine by the name its owner gave it: in an inventory, or as a node."""

    name: str
    profile: Profile
    node: Node | None = None


@dataclass(frozen=True, slots=True)
class BrokenHost:
    """A machine that did not answer: `code` is its error's name, `reason` what was said. The words follow from them."""

    name: str
    code: str
    reason: str
    message: Text | None = field(default=None, metadata=DERIVED)
    hint: Text | None = field(default=None, metadata=DERIVED)


@dataclass(frozen=True, slots=True)
class StorageClass:
    name: str
    provisioner: str
    default: bool


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kubernetes cluster's own facts. `denied` are the rights that were missing ("list storageclasses"); what they
    would have told is None. `pod_security` is the namespace's enforced level, "" where it enforces none."""

    context: str
    version: str | None
    namespace: str
    pod_security: str | None
    storage_classes: tuple[StorageClass, ...] | None
    leader_worker_set: bool | None
    dynamic_resources: bool | None
    denied: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fleet:
    """Machines that answered, in the order asked, and those that did not; `cluster` where they are its nodes."""

    machines: tuple[Machine, ...]
    broken: tuple[BrokenHost, ...] = ()
    cluster: Cluster | None = None
