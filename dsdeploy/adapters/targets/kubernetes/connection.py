"""One namespace of one cluster, through the kubernetes library; its errors become ours."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dsdeploy.adapters.cluster.kubeconfig import open_kubeconfig
from dsdeploy.core.errors import ClusterAway, ClusterRefused, ClusterUnreachable, DsdeployError, InstallError
from dsdeploy.core.texts import Text, text

Document = dict[str, Any]
TIMEOUT_S = 20
_MANAGER = "dsdeploy"


class Cluster:
    """Every method raises ClusterAway, ClusterRefused for a right that is missing, InstallError for the rest."""

    def __init__(self, context: str | None, namespace: str | None) -> None:
        try:
            access = open_kubeconfig(context)
        except ClusterUnreachable as error:
            raise ClusterAway(error.message, hint=error.hint) from error
        from kubernetes import client

        self.context, self.namespace = access.context, namespace or access.namespace
        self._settings = access.settings
        self._client = client.ApiClient(access.settings)
        self._discovered: Any = None

    @property
    def server(self) -> str:
        return str(self._settings.host)

    def version(self) -> str:
        """As the API server calls itself: v1.34.4."""
        from kubernetes import client

        with self.translated("get /version"):
            answer = client.VersionApi(self._client).get_code(_preload_content=False, _request_timeout=TIMEOUT_S)
            return str(json.loads(answer.data)["gitVersion"])

    def served(self) -> tuple[str, ...]:
        """Every group with each of its versions: apps/v1, …"""
        from kubernetes import client

        with self.translated("get /apis"):
            answer = client.ApisApi(self._client).get_api_versions(_preload_content=False, _request_timeout=TIMEOUT_S)
            groups = json.loads(answer.data)["groups"]
        return tuple(str(one["groupVersion"]) for group in groups for one in group["versions"])

    def has(self, api_version: str, kind: str) -> bool:
        from kubernetes.dynamic.exceptions import ResourceNotFoundError

        try:
            self._resource(api_version, kind)
        except ResourceNotFoundError:
            return False
        return True

    def list(
        self, api_version: str, kind: str, selector: str = "", *, everywhere: bool = False
    ) -> tuple[Document, ...]:
        """Objects of the namespace, or of all; `selector` is a label selector."""
        words = {"label_selector": selector} if selector else {}
        place = {} if everywhere else {"namespace": self.namespace}
        found = self._call(f"list {kind}", lambda it: it.get(**place, **words), api_version, kind)
        return tuple(found["items"])

    def read(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Document | None:
        place = namespace or self.namespace
        try:
            return self._call(f"get {kind}", lambda it: it.get(name=name, namespace=place), api_version, kind)
        except _NotFound:
            return None

    def apply(self, document: Document, *, dry_run: bool = False) -> Document:
        """Server-side apply, as field manager `dsdeploy`."""
        words = {"dry_run": "All"} if dry_run else {}
        return self._call(
            f"patch {document['kind']}",
            lambda it: it.server_side_apply(
                body=document, namespace=self.namespace, field_manager=_MANAGER, force_conflicts=True, **words
            ),
            document["apiVersion"],
            document["kind"],
        )

    def rehearse(self, document: Document) -> None:
        """Creates it in a dry run of the server: admission speaks, nothing is kept."""
        self._call(
            f"create {document['kind']}",
            lambda it: it.create(body=document, namespace=self.namespace, dry_run="All", field_manager=_MANAGER),
            document["apiVersion"],
            document["kind"],
        )

    def delete(self, api_version: str, kind: str, name: str, *, made_by_it_first: bool = False) -> None:
        """Gone already is as good. With `made_by_it_first` it stays until the cluster's garbage collector has ended all
        that it made; else it is gone at once, even where no collector works."""
        body = {"propagationPolicy": "Foreground" if made_by_it_first else "Background"}
        with suppress(_NotFound):
            self._call(
                f"delete {kind}",
                lambda it: it.delete(name=name, namespace=self.namespace, body=body),
                api_version,
                kind,
            )

    def annotate(self, api_version: str, kind: str, name: str, notes: dict[str, str]) -> None:
        self._call(
            f"patch {kind}",
            lambda it: it.patch(
                name=name, namespace=self.namespace, body={"metadata": {"annotations": notes}},
                content_type="application/merge-patch+json",
            ),
            api_version,
            kind,
        )  # fmt: skip

    def scale_to_zero(self, name: str) -> None:
        """A Deployment's pods are to end."""
        self._call(
            "patch deployments/scale",
            lambda it: it.subresources["scale"].patch(
                name=name, namespace=self.namespace, body={"spec": {"replicas": 0}},
                content_type="application/merge-patch+json",
            ),
            "apps/v1",
            "Deployment",
        )  # fmt: skip

    def may(self, verb: str, group: str, resource: str) -> bool:
        """Whether these credentials may `verb` that `resource` ("pods", "pods/log") in the namespace."""
        name, _, part = resource.partition("/")
        asked = {"namespace": self.namespace, "verb": verb, "group": group, "resource": name, "subresource": part}
        api, kind = "authorization.k8s.io/v1", "SelfSubjectAccessReview"
        review = {"apiVersion": api, "kind": kind, "spec": {"resourceAttributes": asked}}
        answer = self._call("create SelfSubjectAccessReview", lambda it: it.create(body=review), api, kind)
        return bool(answer["status"]["allowed"])

    def log(
        self, pod: str, container: str, lines: int, *, previous: bool = False, follow: bool = False,
        since_s: int | None = None, dated: bool = False,
    ) -> Iterator[str]:  # fmt: skip
        """The last lines of a container, of its run before the last restart when `previous`; then, to `follow`, what
        comes until it ends. `dated` puts its moment (RFC 3339) before each line.
        """
        from kubernetes import client

        asked = {"container": container, "tail_lines": lines, "timestamps": dated, "since_seconds": since_s}
        how = {"follow": True} if follow else {"previous": previous, "_request_timeout": TIMEOUT_S}
        with self.translated("get pods/log"):
            answer = client.CoreV1Api(self._client).read_namespaced_pod_log(
                pod, self.namespace, _preload_content=False, **asked, **how
            )
            rest = b""
            for piece in answer.stream():
                *whole, rest = (rest + piece).split(b"\n")
                yield from (line.decode(errors="replace") for line in whole)
            if rest:
                yield rest.decode(errors="replace")

    def core(self) -> Any:
        """A client of its own: a stream turns its client into a websocket's."""
        from kubernetes import client

        return client.CoreV1Api(client.ApiClient(self._settings))

    def _call(self, right: str, ask: Callable[[Any], Any], api_version: str, kind: str) -> Document:
        from kubernetes.dynamic.exceptions import ResourceNotFoundError

        try:
            with self.translated(right):
                content: Document = ask(self._resource(api_version, kind)).to_dict()
                return content
        except ResourceNotFoundError as error:
            raise InstallError(
                text("kind-unknown", kind=kind, api=api_version), hint=text("kind-unknown-hint")
            ) from error

    def _resource(self, api_version: str, kind: str) -> Any:
        from kubernetes.dynamic import DynamicClient

        with self.translated("get /apis"):
            if self._discovered is None:
                from kubernetes.dynamic.discovery import LazyDiscoverer

                class Fresh(LazyDiscoverer):  # type: ignore[misc]
                    """Asks anew in each process: the library's own keeps answers in a file that anybody may write."""

                    def _write_cache(self) -> None:
                        pass

                self._discovered = DynamicClient(self._client, cache_file="/nonexistent", discoverer=Fresh)
            return self._discovered.resources.get(api_version=api_version, kind=kind)

    @contextmanager
    def translated(self, right: str) -> Iterator[None]:
        """Errors of the library as ours; `right` is what was asked for."""
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError
        from websocket import WebSocketException

        try:
            yield
        except ApiException as error:
            raise self._named(right, error) from error
        except (HTTPError, WebSocketException, OSError) as error:
            raise self._away(error) from error

    def _named(self, right: str, error: Any) -> DsdeployError:
        said = _message(error)
        if error.status == 404:
            return _NotFound(text("kubernetes-said", right=right, said=said), hint=text("kubernetes-said-hint"))
        if error.status == 401:
            ended = self._ended()
            if ended:
                return ClusterAway(text("certificate-ended", at=ended), hint=text("certificate-ended-hint"))
            return ClusterAway(text("not-known-there", server=self.server), hint=text("not-known-there-hint"))
        if error.status == 403:
            return ClusterRefused(
                text("right-missing", right=right, said=said), hint=text("right-missing-hint", namespace=self.namespace)
            )
        if error.status in (429, 500, 502, 503, 504):
            return self._away(said)
        return InstallError(text("kubernetes-said", right=right, said=said), hint=text("kubernetes-said-hint"))

    def _ended(self) -> str | None:
        """When the client's own certificate ended, if it did."""
        from cryptography import x509

        try:
            certificate = x509.load_pem_x509_certificate(Path(self._settings.cert_file).read_bytes())
        except (OSError, TypeError, ValueError):
            return None
        ends = certificate.not_valid_after_utc
        return ends.isoformat(timespec="minutes") if ends < datetime.now(UTC) else None

    def _away(self, reason: Exception | str) -> ClusterAway:
        hint: Text = text("cluster-unreachable-hint")
        if "certificate has expired" in str(reason):
            return ClusterAway(
                text("server-certificate-ended", server=self.server), hint=text("server-certificate-hint")
            )
        return ClusterAway(text("cluster-unreachable", server=self.server, reason=reason), hint=hint)


class _NotFound(InstallError):
    pass


def _message(error: Any) -> str:
    """What the API server wrote to a person, without the envelope."""
    try:
        return str(json.loads(error.body)["message"])
    except (ValueError, TypeError, KeyError):
        return f"{error.status} {error.reason}"
