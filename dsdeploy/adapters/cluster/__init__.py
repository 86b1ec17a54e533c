"""Asks a Kubernetes cluster what its nodes have, with the rights of the user's own kubeconfig; it only reads."""

import json
from collections.abc import Callable
from typing import Any

from dsdeploy.adapters.cluster.kubeconfig import open_kubeconfig
from dsdeploy.adapters.cluster.nodes import read_node
from dsdeploy.core.errors import ClusterForbidden, ClusterUnreachable
from dsdeploy.core.fleet import Cluster, Fleet, StorageClass
from dsdeploy.core.texts import text

Question = Callable[..., Any]
_PAGE_NODES = 250
_TIMEOUT_S = 20
_ENFORCE = "pod-security.kubernetes.io/enforce"
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


class Denied(Exception):
    """The API refused one question; the argument is the right that was missing."""


def ask_cluster(context: str | None, namespace: str | None) -> Fleet:
    """Nodes and what the cluster offers. Raises ClusterUnreachable, ClusterForbidden where nodes may not be listed."""
    asked = _Asked(context)
    from kubernetes import client

    denied: list[str] = []

    def ask(right: str, question: Question, **words: Any) -> dict[str, Any] | None:
        try:
            return asked.get(right, question, **words)
        except Denied as error:
            denied.append(str(error))
            return None

    core, place = client.CoreV1Api(asked.client), namespace or asked.namespace
    try:
        nodes = asked.list("list nodes", core.list_node)
    except Denied as error:
        raise ClusterForbidden(
            text("cluster-forbidden", context=asked.context, right=error),
            hint=text("cluster-forbidden-hint", right=error),
        ) from error
    version = ask("get /version", client.VersionApi(asked.client).get_code)
    classes = ask("list storageclasses.storage.k8s.io", client.StorageV1Api(asked.client).list_storage_class)
    space = ask(f"get namespaces/{place}", core.read_namespace, name=place)
    groups = ask("get /apis", client.ApisApi(asked.client).get_api_versions)
    names = None if groups is None else {one["name"] for one in groups["groups"]}
    labels = (space or {}).get("metadata", {}).get("labels") or {}
    return Fleet(
        tuple(read_node(one) for one in nodes),
        cluster=Cluster(
            context=asked.context,
            version=version["gitVersion"] if version else None,
            namespace=place,
            pod_security=labels.get(_ENFORCE, "") if space else None,
            storage_classes=tuple(map(_storage_class, classes["items"])) if classes else None,
            leader_worker_set=None if names is None else "leaderworkerset.x-k8s.io" in names,
            dynamic_resources=None if names is None else "resource.k8s.io" in names,
            denied=tuple(denied),
        ),
    )


def _storage_class(one: dict[str, Any]) -> StorageClass:
    notes = one["metadata"].get("annotations") or {}
    return StorageClass(one["metadata"]["name"], one["provisioner"], notes.get(_DEFAULT_CLASS) == "true")


class _Asked:
    """One cluster, by the kubernetes library: it knows every way a kubeconfig can authenticate."""

    def __init__(self, context: str | None) -> None:
        access = open_kubeconfig(context)
        from kubernetes import client

        settings = access.settings
        self.context, self.namespace = access.context, access.namespace
        self.client, self._server = client.ApiClient(settings), settings.host

    def list(self, right: str, question: Question) -> list[dict[str, Any]]:
        """All items, page after page. Raises as `get`."""
        items, more = [], ""
        while True:
            page = self.get(right, question, limit=_PAGE_NODES, **({"_continue": more} if more else {}))
            items += page["items"]
            more = page["metadata"].get("continue") or ""
            if not more:
                return items

    def get(self, right: str, question: Question, **words: Any) -> dict[str, Any]:
        """The answer as the API writes it: the library's own values differ from release to release.

        Raises Denied with `right`, ClusterUnreachable.
        """
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            answer = question(**words, _preload_content=False, _request_timeout=_TIMEOUT_S)
            status, reason, body = answer.status, answer.reason, answer.data
        except ApiException as error:
            status, reason, body = error.status, error.reason, b""
        except (HTTPError, OSError) as error:
            raise self._unreachable(error) from error
        if status in (401, 403):
            raise Denied(right)
        try:
            if status != 200:
                raise self._unreachable(f"{right}: {status} {reason}")
            content: dict[str, Any] = json.loads(body)
            return content
        except ValueError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, reason: Exception | str) -> ClusterUnreachable:
        return ClusterUnreachable(
            text("cluster-unreachable", server=self._server, reason=reason), hint=text("cluster-unreachable-hint")
        )
