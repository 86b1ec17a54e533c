"""How a release's pods really run and are confined, by the API server's record of them and by a look inside."""

import json
from typing import Any

from dsdeploy.adapters.images.llamacpp import PYTHON
from dsdeploy.adapters.targets.kubernetes.connection import Cluster
from dsdeploy.adapters.targets.kubernetes.streams import run_inside
from dsdeploy.core.errors import InstallError
from dsdeploy.core.values import RenderedFile, Workload

Document = dict[str, Any]
_DEFAULT_CAPABILITIES = ("the runtime's default set",)


def workloads(pods: tuple[Document, ...]) -> tuple[Workload, ...]:
    """One for each container that runs; engines first."""
    running = [one for one in pods if (one.get("status") or {}).get("phase") == "Running"]
    running.sort(key=lambda one: (_component(one) != "engine", one["metadata"]["name"]))
    return tuple(_workload(pod, container) for pod in running for container in pod["spec"]["containers"])


def run_python(cluster: Cluster, pod: Document, code: str) -> str | None:
    """None where the container holds no Python, or these credentials may run nothing there."""
    for python in (PYTHON, ("python3",)):
        try:
            container = pod["spec"]["containers"][0]["name"]
            return run_inside(cluster, pod["metadata"]["name"], container, (*python, "-c", code))
        except InstallError:
            continue
    return None


def evidence(pods: tuple[Document, ...], events: tuple[Document, ...]) -> tuple[RenderedFile, ...]:
    """As the API server writes them: pods and events hold no secret of ours, but a site's names."""
    return tuple(
        RenderedFile(name, json.dumps(content, indent=1, ensure_ascii=False))
        for name, content in (("pods.json", pods), ("events.json", events))
    )


def _component(pod: Document) -> str:
    return str((pod["metadata"].get("labels") or {}).get("app.kubernetes.io/component", ""))


def _workload(pod: Document, container: Document) -> Workload:
    wide, own = pod["spec"].get("securityContext") or {}, container.get("securityContext") or {}
    user = own.get("runAsUser", wide.get("runAsUser"))
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    image = next((one.get("imageID") for one in statuses if one["name"] == container["name"]), None)
    return Workload(
        name=f"{pod['metadata']['name']}/{container['name']}",
        image=image or container["image"],
        argv=(*(container.get("command") or ()), *(container.get("args") or ())),
        environment={one["name"]: str(one.get("value", "")) for one in container.get("env") or ()},
        uids=() if user is None else (int(user),),
        capabilities=_capabilities(own),
        no_new_privileges=own.get("allowPrivilegeEscalation") is False,
        read_only_root=bool(own.get("readOnlyRootFilesystem")),
    )


def _capabilities(own: Document) -> tuple[str, ...]:
    asked = own.get("capabilities") or {}
    added = tuple(asked.get("add") or ())
    if own.get("privileged"):
        return ("ALL",)
    return added if "ALL" in (asked.get("drop") or ()) else (*_DEFAULT_CAPABILITIES, *added)
