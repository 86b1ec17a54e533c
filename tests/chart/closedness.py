"""What the chart promises besides Pod Security "restricted", as one list of what is broken."""

import re

from tests.chart.rendering import Document, of_kind, pod_templates
from tests.chart.restricted import breaches

DIGEST = re.compile(r"[^@\s]+@sha256:[a-f0-9]{64}")
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE", "VLLM_NO_USAGE_STATS", "DO_NOT_TRACK")
LIMITS = ("RATE_PER_MINUTE", "CONCURRENT_PER_KEY", "MAX_BODY_BYTES", "CONNECTIONS_PER_SOURCE")
RIGHTS = {"Secret", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "CustomResourceDefinition"}


def broken(documents: tuple[Document, ...]) -> list[str]:
    found = []
    for name, template in pod_templates(documents).items():
        found += [f"{name}: {one}" for one in (*breaches(template["spec"]), *_pod(template))]
    return found + _network(documents) + _rollout(documents) + _objects(documents)


def _pod(template: Document) -> list[str]:
    spec, component = template["spec"], template["metadata"]["labels"]["app.kubernetes.io/component"]
    pod, found = spec["securityContext"], []
    if spec.get("automountServiceAccountToken") is not False:
        found.append("a token of the API is mounted")
    if spec.get("enableServiceLinks") is not False:
        found.append("other services are told in the environment")
    for one in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(one) is not False:
            found.append(f"{one} is left to a default")
    if not (pod.get("runAsUser", 0) >= 1 and pod.get("runAsGroup", 0) >= 1):
        found.append("user or group is left to the image")
    if not pod.get("fsGroup") or pod.get("fsGroupChangePolicy") != "OnRootMismatch":
        found.append("fsGroup")
    volumes = {one["name"]: one for one in spec["volumes"]}
    for one in (*spec.get("initContainers", ()), *spec["containers"]):
        own = one["securityContext"]
        if own.get("privileged") is not False:
            found.append(f"{one['name']}: privileged is left to a default")
        if one["name"] != "engine" and own.get("readOnlyRootFilesystem") is not True:
            found.append(f"{one['name']}: its root can be written")
        if not DIGEST.fullmatch(one["image"]):
            found.append(f"{one['name']}: an image without digest")
        if not {"cpu", "memory"} <= set(one.get("resources", {}).get("limits", ())):
            found.append(f"{one['name']}: no limits")
        if any("valueFrom" in variable for variable in one.get("env", ())):
            found.append(f"{one['name']}: a secret in the environment")
        for mount in one["volumeMounts"]:
            kind = volumes[mount["name"]]
            closed = (mount["name"] == "weights" and one["name"] != "verify-weights") or {"secret", "configMap"} & set(
                kind
            )
            if closed and mount.get("readOnly") is not True:
                found.append(f"{one['name']}: {mount['name']} can be written")
    for one in spec["volumes"]:
        mode = (one.get("secret") or {"defaultMode": 0o440}).get("defaultMode", 0o644)
        if mode & 0o007:
            found.append(f"{one['name']}: a secret for all users")
        if "emptyDir" in one and not {"sizeLimit", "medium"} & set(one["emptyDir"] or ()):
            found.append(f"{one['name']}: a folder without limit")
    if component == "engine":
        if [one["name"] for one in spec.get("initContainers", ())] != ["verify-weights"]:
            found.append("weights are not verified")
        elif "/opt/dsdeploy/manifest" not in spec["initContainers"][0]["args"]:
            found.append("weights are verified against nothing")
        environment = {one["name"]: one.get("value") for one in spec["containers"][0]["env"]}
        found += [f"{key} is not set" for key in OFFLINE if environment.get(key) != "1"]
    if component == "gateway":
        environment = {one["name"] for one in spec["containers"][0]["env"]}
        found += [f"{key} is left to a default" for key in LIMITS if key not in environment]
        if "LOG_PROMPTS" in environment:
            found.append("prompts are written down")
        if "clients" in volumes and "CLIENT_CA" not in environment:
            found.append("client certificates are not demanded")
    return found


def _selects(selector: Document | None, labels: Document) -> bool:
    return selector is not None and all(labels.get(k) == v for k, v in selector.get("matchLabels", {}).items())


def _types(policy: Document) -> set[str]:
    """As the API defaults them."""
    return set(policy.get("policyTypes") or ("Ingress", *(("Egress",) if policy.get("egress") else ())))


def _allowed(policies: list[Document], way: str, own: Document, peer: Document) -> bool:
    """Whether pods of this namespace with labels `own` may `way` (ingress, egress) with pods `peer` of it."""
    mine = [one["spec"] for one in policies if _selects(one["spec"]["podSelector"], own)]
    mine = [one for one in mine if way.capitalize() in _types(one)]
    if not mine:
        return True
    key = "from" if way == "ingress" else "to"
    rules = [rule for one in mine for rule in one.get(way) or ()]
    return any(
        not rule.get(key)
        or any("namespaceSelector" not in one and _selects(one.get("podSelector"), peer) for one in rule[key])
        for rule in rules
    )


def _network(documents: tuple[Document, ...]) -> list[str]:
    policies, found = of_kind(documents, "NetworkPolicy"), []
    pods = {}
    for name, template in pod_templates(documents).items():
        labels = template["metadata"]["labels"]
        pods[labels["app.kubernetes.io/component"] + ("/worker" if name.endswith("worker") else "")] = labels
    pods["stranger"] = {"app": "other"}
    several = "engine/worker" in pods
    wanted = {("stranger", "gateway"), ("gateway", "engine"), ("gateway", "gateway"), ("test", "gateway")}
    wanted |= {(a, b) for a in pods for b in pods if several and {a[:6], b[:6]} == {"engine"}}
    for a, sender in pods.items():
        for b, receiver in pods.items():
            if b == "stranger" and a == "stranger":
                continue
            passes = _allowed(policies, "egress", sender, receiver) and _allowed(policies, "ingress", receiver, sender)
            if passes and (a, b) not in wanted:
                found.append(f"{a} reaches {b}")
            if not passes and (a, b) in wanted - {("gateway", "gateway")}:
                found.append(f"{a} does not reach {b}")
    component = "app.kubernetes.io/component"
    everyone = [one["spec"] for one in policies if component not in one["spec"]["podSelector"]["matchLabels"]]
    closed = [(_types(one), one.get("ingress"), one.get("egress")) for one in everyone]
    if closed != [({"Ingress", "Egress"}, None, None)]:
        found.append("pods of the release are open by default")
    for one in policies:
        if one["spec"].get("policyTypes") != ["Ingress", "Egress"]:
            found.append(f"{one['metadata']['name']}: a way is left to a default")
        for rule in (*(one["spec"].get("egress") or ()), *(one["spec"].get("ingress") or ())):
            peers = (*(rule.get("to") or ()), *(rule.get("from") or ()))
            chosen = [peer.get("podSelector", {}).get("matchLabels", {}) for peer in peers]
            group = [labels.get("app.kubernetes.io/component") for labels in chosen] == ["engine"]
            if "ports" not in rule and not (group and one["metadata"]["name"] == "r-dsdeploy-engine"):
                found.append(f"{one['metadata']['name']}: any port")
            if not peers:
                found.append(f"{one['metadata']['name']}: anyone")
            clients = {"podSelector": {}} in peers  # who may call: every pod here and in the namespaces that are named
            for peer in peers:
                if "namespaceSelector" in peer and not peer["namespaceSelector"].get("matchLabels"):
                    found.append(f"{one['metadata']['name']}: any namespace")
                if "namespaceSelector" in peer and not (clients or "podSelector" in peer):
                    found.append(f"{one['metadata']['name']}: any pod of a namespace")
    engines = [one["spec"] for one in policies if one["metadata"]["name"] == "r-dsdeploy-engine"]
    if not several and any(one.get("egress") for one in engines):
        found.append("an engine of one node has a way out")
    return found


def _rollout(documents: tuple[Document, ...]) -> list[str]:
    found = []
    for one in of_kind(documents, "Deployment"):
        if one["metadata"]["name"].endswith("-engine") and one["spec"]["strategy"] != {"type": "Recreate"}:
            found.append("an update of the engine waits for accelerators that it holds itself")
        if one["spec"].get("progressDeadlineSeconds", 600) <= 600:
            found.append("the progress deadline is shorter than a load")
    for one in of_kind(documents, "LeaderWorkerSet"):
        if one["spec"]["rolloutStrategy"].get("rollingUpdateConfiguration") != {"maxSurge": 0, "maxUnavailable": 1}:
            found.append("an update of the replicas waits for accelerators that they hold themselves")
        if one["spec"]["leaderWorkerTemplate"].get("restartPolicy") != "RecreateGroupOnPodRestart":
            found.append("a group outlives its members")
        if one["spec"].get("startupPolicy") != "LeaderCreated":
            found.append("workers wait for a leader that waits for them")
    if sorted(one["spec"].get("maxUnavailable", 0) for one in of_kind(documents, "PodDisruptionBudget")) != [1, 1]:
        found.append("a node's drain is not held to one pod at a time")
    return found


def _objects(documents: tuple[Document, ...]) -> list[str]:
    found = [f"a {one['kind']}" for one in documents if one["kind"] in RIGHTS]
    if any(one.get("automountServiceAccountToken") is not False for one in of_kind(documents, "ServiceAccount")):
        found.append("the service account's token is mounted")
    for one in of_kind(documents, "Service"):
        inner = not one["metadata"]["name"].endswith("r-dsdeploy")
        if inner and one["spec"].get("type", "ClusterIP") != "ClusterIP":
            found.append(f"{one['metadata']['name']} is published")
    found += [f"{one['kind']} without namespace" for one in documents if not one["metadata"].get("namespace")]
    return found
