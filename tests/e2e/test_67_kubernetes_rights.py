"""The least role, one verb less each time: the right that is missing is named before anything is made."""

import pytest
import yaml

from dsdeploy.adapters.targets.kubernetes.connection import Cluster
from dsdeploy.adapters.targets.kubernetes.preflight import RIGHTS, rights
from tests.kube.control_plane import client_of
from tests.kube.fixtures import RBAC
from tests.program import wait_until

pytestmark = pytest.mark.kubernetes
SPACE = "verbs"


def test_each_verb_that_the_role_lacks_is_named(site, monkeypatch):
    from kubernetes.client import RbacAuthorizationV1Api

    site.namespace(SPACE)
    site.kubectl("--namespace", SPACE, "create", "serviceaccount", "dsdeploy")
    site.kubectl("--namespace", SPACE, "apply", "--filename", str(RBAC))
    token = site.kubectl("--namespace", SPACE, "create", "token", "dsdeploy", "--duration", "1h").strip()
    monkeypatch.setenv("KUBECONFIG", str(site.plane.write_kubeconfig("verbs", {"token": token}, SPACE)))
    cluster, roles = Cluster("tests", SPACE), RbacAuthorizationV1Api(client_of(site.kubeconfig))
    assert rights(cluster, RIGHTS).status == "pass"
    role = next(one for one in yaml.safe_load_all(RBAC.read_text()) if one["kind"] == "Role")
    for group, resource, verbs in RIGHTS:
        for verb in verbs:
            rules = [
                {
                    "apiGroups": [api],
                    "resources": [name],
                    "verbs": [one for one in many if (name, one) != (resource, verb)],
                }
                for api, name, many in RIGHTS
            ]
            rules = [one for one in rules if one["verbs"]]
            roles.replace_namespaced_role("dsdeploy", SPACE, {"metadata": role["metadata"], "rules": rules})
            wait_until(lambda v=verb, g=group, r=resource: not cluster.may(v, g, r), 10)
            found = rights(cluster, ((group, resource, verbs),))
            assert found.status == "fail" and f"{verb} {resource}" in found.message.render("en")
